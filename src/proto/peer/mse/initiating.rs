//! The side of an exchange that opened the connection (A).
//!
//! ```text
//!   Begin --------> Key ------------------> Mark --------------> Head ---------> Pad ----> Over
//!   we send our     its number comes: we    its zeros are found  the method that its pad   we are
//!   number and pad  send all that we have   behind its pad       it chose comes  ends      open
//! ```

use super::came::{Came, part};
use super::keys::{self, VERIFICATION};
use super::power;
use super::rc4::Rc4;
use super::{Broken, Chance, MOST_PAD, Methods, Next, Opened, Step};
use crate::proto::id::InfoHash;

/// An exchange that we begin.
pub struct Initiating {
    info_hash: InfoHash,
    offered: Methods,
    chance: Chance,
    /// The first bytes of the stream: our handshake. To send them here spares a round trip.
    first: Vec<u8>,
    state: State,
    /// For what the peer sends and for what we send, once the secret is known.
    ciphers: Option<(Rc4, Rc4)>,
    came: Came,
}

#[derive(Clone, Copy)]
enum State {
    /// Nothing is sent yet.
    Begin,
    /// Its public number comes.
    Key,
    /// Its zeros come, which look like this when they are encrypted.
    Mark { zeros: [u8; 8] },
    /// The method that it chose comes, and the length of its pad.
    Head,
    /// Its pad comes, which has this many bytes.
    Pad { bytes: usize, method: Methods },
    /// Nothing more is needed.
    Over,
}

impl Initiating {
    /// Nothing is sent yet. `first` are the first bytes of the stream, at most 65,535.
    pub fn new(info_hash: InfoHash, offered: Methods, first: Vec<u8>, chance: Chance) -> Initiating {
        Initiating { info_hash, offered, chance, first, state: State::Begin, ciphers: None, came: Came::default() }
    }

    /// Takes bytes that came: after [`Step::Receive`] as many as it allowed, otherwise none. Returns what is next. An
    /// error means that the connection is of no use.
    pub fn advance(&mut self, received: &[u8]) -> Result<Step, Broken> {
        self.came.add(received);
        loop {
            let next = match self.state {
                State::Begin => self.begin(),
                State::Key => self.key()?,
                State::Mark { zeros } => self.mark(&zeros)?,
                State::Head => self.head()?,
                State::Pad { bytes, method } => self.pad(bytes, method),
                State::Over => return Err("the exchange is over"),
            };
            match next {
                Next::Lacks => return Ok(Step::Receive(self.came.room())),
                Next::Step(step) => return Ok(step),
                Next::State => {}
            }
        }
    }

    fn begin(&mut self) -> Next {
        self.state = State::Key;
        let mut ours = self.chance.pair.public.to_vec();
        ours.append(&mut self.chance.pad);
        Next::Step(Step::Send(ours))
    }

    fn key(&mut self) -> Result<Next, Broken> {
        let Some(theirs) = self.came.take() else { return Ok(Next::Lacks) };
        if !power::is_usable(&theirs) {
            return Err("its public number is not one that MSE allows");
        }
        let secret = self.chance.pair.secret(&theirs);
        let (mut outward, mut inward) = keys::ciphers(&secret, &self.info_hash);
        let mut zeros = VERIFICATION;
        inward.apply(&mut zeros);
        // Our second pad is empty, as that of most programs.
        let (offered, first_bytes) = (self.offered.0.to_be_bytes(), (self.first.len() as u16).to_be_bytes());
        let mut sealed = [&VERIFICATION[..], &offered, &[0; 2], &first_bytes, &self.first].concat();
        outward.apply(&mut sealed);
        let name = keys::hide(&keys::name(&self.info_hash), &secret);
        self.ciphers = Some((inward, outward));
        self.state = State::Mark { zeros };
        Ok(Next::Step(Step::Send([&keys::mark(&secret)[..], &name, &sealed].concat())))
    }

    fn mark(&mut self, zeros: &[u8]) -> Result<Next, Broken> {
        if !self.came.pass(zeros)? {
            return Ok(Next::Lacks);
        }
        self.state = State::Head;
        Ok(Next::State)
    }

    fn head(&mut self) -> Result<Next, Broken> {
        let Some(mut head) = self.came.take::<6>() else { return Ok(Next::Lacks) };
        self.decrypt(&mut head);
        let method = Methods(u32::from_be_bytes(part(&head, 0)));
        if method.cover().is_none() || !self.offered.has(method) {
            return Err("it chose a method that we did not offer");
        }
        let bytes = usize::from(u16::from_be_bytes(part(&head, 4)));
        if bytes > MOST_PAD {
            return Err("its second pad is too long");
        }
        self.state = State::Pad { bytes, method };
        Ok(Next::State)
    }

    fn pad(&mut self, bytes: usize, method: Methods) -> Next {
        let Some(mut pad) = self.came.take_all(bytes) else { return Next::Lacks };
        self.decrypt(&mut pad);
        self.state = State::Over;
        let mut early = self.came.take_rest();
        let is_rc4 = method == Methods::RC4;
        if is_rc4 {
            self.decrypt(&mut early);
        }
        let ciphers = self.ciphers.take().filter(|_| is_rc4);
        Next::Step(Step::Opened(Box::new(Opened { info_hash: self.info_hash, ciphers, early })))
    }

    fn decrypt(&mut self, bytes: &mut [u8]) {
        if let Some((inward, _)) = &mut self.ciphers {
            inward.apply(bytes);
        }
    }
}
