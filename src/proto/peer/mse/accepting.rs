//! The side of an exchange that a peer connected to (B).
//!
//! ```text
//!   Key ------------> Secret ----------> Mark -------------> Head --------> Pad ----------> First -----> Over
//!   its number comes: more bytes come:   its mark is found   torrent,       its pad ends:   plain:       we are
//!   we send ours      we compute the     behind its pad      zeros,         we send the     its first    open
//!   and our pad       secret                                 methods        chosen method   bytes come
//! ```
//!
//! A connection that stops after its public number need cost us no exponentiation: our numbers can serve the next one.

use super::came::{Came, part};
use super::keys::{self, VERIFICATION};
use super::power::{self, Key, Pair};
use super::rc4::Rc4;
use super::{BUFFER_BYTES, Broken, Chance, MOST_PAD, Methods, Next, Opened, Policy, Step};
use crate::base::sha1::Digest;
use crate::proto::id::InfoHash;

/// An exchange that a peer began.
pub struct Accepting {
    policy: Policy,
    chance: Chance,
    state: State,
    /// What the two sides agreed on, once that is known.
    agreed: Option<Agreed>,
    came: Came,
}

enum State {
    /// Its public number comes.
    Key,
    /// It sent this number. With a further byte the secret is worth computing.
    Secret { theirs: Key },
    /// Its mark comes.
    Mark { secret: Key },
    /// The name of the torrent comes, and what is encrypted before its pad.
    Head { secret: Key },
    /// Its pad comes, which has this many bytes.
    Pad { bytes: usize },
    /// We answered. The first bytes of the stream come: this many are encrypted, whatever the method is.
    First { bytes: usize },
    /// Nothing more is needed.
    Over,
}

struct Agreed {
    info_hash: InfoHash,
    method: Methods,
    /// For what it sends.
    inward: Rc4,
    /// For what we send.
    outward: Rc4,
}

impl Accepting {
    /// Nothing came yet.
    pub fn new(policy: Policy, chance: Chance) -> Accepting {
        Accepting { policy, chance, state: State::Key, agreed: None, came: Came::default() }
    }

    /// Takes bytes that came: after [`Step::Receive`] as many as it allowed, after another step none. Returns what is
    /// next. `find` returns the torrent with a [name](keys::name). An error means that the connection is of no use.
    pub fn advance(&mut self, received: &[u8], find: impl Fn(&Digest) -> Option<InfoHash>) -> Result<Step, Broken> {
        self.came.add(received);
        loop {
            let step = match self.state {
                State::Key => self.key()?,
                State::Secret { theirs } => self.secret(&theirs),
                State::Mark { secret } => self.mark(secret)?,
                State::Head { secret } => self.head(&secret, &find)?,
                State::Pad { bytes } => self.pad(bytes)?,
                State::First { bytes } => self.first(bytes),
                State::Over => return Err("the exchange is over"),
            };
            match step {
                Next::Lacks => return Ok(Step::Receive(self.came.room())),
                Next::Step(step) => return Ok(step),
                Next::State => {}
            }
        }
    }

    /// Our numbers, if no secret was made of them. They can serve another exchange, but the peer may have seen one.
    pub fn unused(self) -> Option<Pair> {
        matches!(self.state, State::Key | State::Secret { .. }).then_some(self.chance.pair)
    }

    fn key(&mut self) -> Result<Next, Broken> {
        let Some(theirs) = self.came.take() else { return Ok(Next::Lacks) };
        if !power::is_usable(&theirs) {
            return Err("its public number is not one that MSE allows");
        }
        self.state = State::Secret { theirs };
        let mut ours = self.chance.pair.public.to_vec();
        ours.append(&mut self.chance.pad);
        Ok(Next::Step(Step::Send(ours)))
    }

    fn secret(&mut self, theirs: &Key) -> Next {
        if self.came.room() == BUFFER_BYTES {
            return Next::Lacks;
        }
        self.state = State::Mark { secret: self.chance.pair.secret(theirs) };
        Next::State
    }

    fn mark(&mut self, secret: Key) -> Result<Next, Broken> {
        if !self.came.pass(&keys::mark(&secret))? {
            return Ok(Next::Lacks);
        }
        self.state = State::Head { secret };
        Ok(Next::State)
    }

    fn head(&mut self, secret: &Key, find: &dyn Fn(&Digest) -> Option<InfoHash>) -> Result<Next, Broken> {
        let Some(head) = self.came.take::<34>() else { return Ok(Next::Lacks) };
        let (hidden, mut sealed): (Digest, [u8; 14]) = (part(&head, 0), part(&head, 20));
        let info_hash = find(&keys::hide(&hidden, secret)).ok_or("it asks for a torrent that is not here")?;
        let (mut inward, outward) = keys::ciphers(secret, &info_hash);
        inward.apply(&mut sealed);
        if sealed[..8] != VERIFICATION {
            return Err("its keys differ from ours");
        }
        let offered = Methods(u32::from_be_bytes(part(&sealed, 8)));
        let method = self.policy.choice(offered).ok_or("it offers no method that we accept")?;
        let bytes = usize::from(u16::from_be_bytes(part(&sealed, 12)));
        if bytes > MOST_PAD {
            return Err("its second pad is too long");
        }
        self.agreed = Some(Agreed { info_hash, method, inward, outward });
        self.state = State::Pad { bytes };
        Ok(Next::State)
    }

    fn pad(&mut self, bytes: usize) -> Result<Next, Broken> {
        let Some(agreed) = &mut self.agreed else { return Ok(Next::Lacks) };
        let Some(mut pad) = self.came.take_all(bytes + 2) else { return Ok(Next::Lacks) };
        agreed.inward.apply(&mut pad);
        let first = usize::from(u16::from_be_bytes(part(&pad, bytes)));
        if first > BUFFER_BYTES {
            return Err("it sends too many bytes before our answer");
        }
        self.state = State::First { bytes: first };
        // Our second pad is empty, as that of most programs.
        let mut answer = [&VERIFICATION[..], &agreed.method.0.to_be_bytes(), &[0; 2]].concat();
        agreed.outward.apply(&mut answer);
        Ok(Next::Step(Step::Send(answer)))
    }

    fn first(&mut self, bytes: usize) -> Next {
        let is_rc4 = |agreed: &Agreed| agreed.method == Methods::RC4;
        let is_complete = self.came.room() <= BUFFER_BYTES - bytes;
        let Some(mut agreed) = self.agreed.take_if(|agreed| is_rc4(agreed) || is_complete) else { return Next::Lacks };
        self.state = State::Over;
        let mut early = self.came.take_rest();
        let encrypted = if is_rc4(&agreed) { early.len() } else { bytes };
        agreed.inward.apply(&mut early[..encrypted]);
        let ciphers = is_rc4(&agreed).then_some((agreed.inward, agreed.outward));
        Next::Step(Step::Opened(Box::new(Opened { info_hash: agreed.info_hash, ciphers, early })))
    }
}
