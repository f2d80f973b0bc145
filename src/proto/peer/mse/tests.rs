//! The two sides with each other, and each with bytes that it must refuse.

use super::accepting::Accepting;
use super::initiating::Initiating;
use super::keys::{self, VERIFICATION};
use super::power::{self, KEY_BYTES, Pair};
use super::*;
use crate::base::rng::Rng;
use crate::base::sha1::Digest;
use proptest::prelude::*;
use std::collections::VecDeque;

const TORRENT: InfoHash = InfoHash([7; 20]);
/// As long as a handshake.
const FIRST: &[u8] = &[b'h'; 68];

fn find(name: &Digest) -> Option<InfoHash> {
    (*name == keys::name(&TORRENT)).then_some(TORRENT)
}

fn chance(seed: u8, pad: usize) -> Chance {
    Chance { pair: Pair::new([seed; 20]), pad: vec![seed; pad] }
}

/// A side as the other half of this test sees it.
type Side = Box<dyn FnMut(&[u8]) -> Result<Step, Broken>>;

fn initiating(offered: Methods, first: &[u8], pad: usize) -> Side {
    let mut side = Initiating::new(TORRENT, offered, first.to_vec(), chance(1, pad));
    Box::new(move |bytes| side.advance(bytes))
}

fn accepting(policy: Policy, pad: usize) -> Side {
    let mut side = Accepting::new(policy, chance(2, pad));
    Box::new(move |bytes| side.advance(bytes, find))
}

/// A program at one end of a connection.
struct Program {
    side: Side,
    /// What it says when the exchange is complete.
    says: Vec<u8>,
    heard: Vec<u8>,
    opened: Option<Box<Opened>>,
}

impl Program {
    fn new(side: Side, says: &[u8]) -> Program {
        Program { side, says: says.to_vec(), heard: Vec::new(), opened: None }
    }

    /// Reads from one direction of the connection and writes to the other until it needs more bytes. `portion` says
    /// how many bytes a read gives.
    fn run(
        &mut self,
        from: &mut VecDeque<u8>,
        to: &mut VecDeque<u8>,
        mut portion: impl FnMut() -> usize,
    ) -> Result<(), Broken> {
        let mut received = Vec::new();
        while self.opened.is_none() {
            match (self.side)(&std::mem::take(&mut received))? {
                Step::Receive(most) => {
                    assert!((1..=BUFFER_BYTES).contains(&most));
                    received = from.drain(..portion().max(1).min(most).min(from.len())).collect();
                    if received.is_empty() {
                        return Ok(());
                    }
                }
                Step::Send(bytes) => to.extend(bytes),
                Step::Opened(mut opened) => {
                    assert_eq!(opened.info_hash, TORRENT);
                    assert!(opened.early.len() <= BUFFER_BYTES);
                    self.heard = std::mem::take(&mut opened.early);
                    if let Some((_, outward)) = &mut opened.ciphers {
                        outward.apply(&mut self.says);
                    }
                    to.extend(&self.says);
                    self.opened = Some(opened);
                }
            }
        }
        let mut rest: Vec<u8> = from.drain(..).collect();
        if let Some((inward, _)) = self.opened.as_mut().and_then(|opened| opened.ciphers.as_mut()) {
            inward.apply(&mut rest);
        }
        self.heard.extend(rest);
        Ok(())
    }
}

/// Lets both sides run until nothing is under way. Each says "A" or "B" many times when it is open. Returns what each
/// heard, and whether the stream is encrypted.
fn meet(a: Side, b: Side, seed: u64, most: usize) -> Result<[(Vec<u8>, bool); 2], Broken> {
    let mut rng = Rng::new(seed);
    let (mut a, mut b) = (Program::new(a, &[b'A'; 3000]), Program::new(b, &[b'B'; 3000]));
    let (mut to_a, mut to_b) = (VecDeque::new(), VecDeque::new());
    loop {
        a.run(&mut to_a, &mut to_b, || rng.below(most + 1))?;
        b.run(&mut to_b, &mut to_a, || rng.below(most + 1))?;
        if to_a.is_empty() && to_b.is_empty() {
            break;
        }
    }
    Ok([a, b].map(|program| {
        let opened = program.opened.expect("it is open when nothing is under way");
        (program.heard, opened.ciphers.is_some())
    }))
}

#[test]
fn each_policy_meets_each_offer_as_it_should() {
    for (policy, offered, expected) in [
        (Policy::Allow, Methods::BOTH, Some(false)),
        (Policy::Allow, Methods::RC4, Some(true)),
        (Policy::Allow, Methods::PLAIN, Some(false)),
        (Policy::Prefer, Methods::BOTH, Some(true)),
        (Policy::Prefer, Methods::PLAIN, Some(false)),
        (Policy::Require, Methods::BOTH, Some(true)),
        (Policy::Require, Methods::RC4, Some(true)),
        (Policy::Require, Methods::PLAIN, None),
        (Policy::Off, Methods::BOTH, None),
        // What other bits mean is unknown, so they are not chosen.
        (Policy::Allow, Methods(u32::MAX), Some(false)),
        (Policy::Require, Methods(u32::MAX), Some(true)),
        (Policy::Prefer, Methods(0), None),
        (Policy::Prefer, Methods(4), None),
    ] {
        let met = meet(initiating(offered, FIRST, 3), accepting(policy, 5), 1, 2000);
        match expected {
            Some(is_rc4) => {
                let [at_a, at_b] = met.unwrap_or_else(|error| panic!("{policy:?} {offered:?}: {error}"));
                assert_eq!((at_a.1, at_b.1), (is_rc4, is_rc4), "{policy:?} {offered:?}");
            }
            None => assert_eq!(met.err(), Some("it offers no method that we accept"), "{policy:?} {offered:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn both_streams_arrive_whole_however_they_are_divided(
        pads: [u16; 2],
        first in 0usize..=BUFFER_BYTES,
        is_rc4: bool,
        seed: u64,
        most in prop_oneof![Just(0usize), 1usize..40, Just(3000)],
    ) {
        let [pad_a, pad_b] = pads.map(|pad| usize::from(pad) % (MOST_PAD + 1));
        let first: Vec<u8> = (0..first).map(|at| at as u8).collect();
        let policy = if is_rc4 { Policy::Prefer } else { Policy::Allow };
        let met = meet(initiating(Methods::BOTH, &first, pad_a), accepting(policy, pad_b), seed, most);
        let [(at_a, _), (at_b, rc4)] = met.unwrap();
        prop_assert_eq!(rc4, is_rc4);
        prop_assert!(at_a == [b'B'; 3000]);
        prop_assert!(at_b == [&first[..], &[b'A'; 3000]].concat());
    }

    /// Each side fails or waits for more. (A side that buffers more than it may would panic in `Program::run`.)
    #[test]
    fn garbage_never_opens_a_connection(seed: u64, length in 0usize..4000, most in 1usize..1500) {
        for side in [initiating(Methods::BOTH, FIRST, 0), accepting(Policy::Allow, 0)] {
            let mut rng = Rng::new(seed);
            let mut program = Program::new(side, b"");
            let mut garbage: VecDeque<u8> = (0..length).map(|_| rng.below(256) as u8).collect();
            let ended = program.run(&mut garbage, &mut VecDeque::new(), || rng.below(most));
            prop_assert!(program.opened.is_none());
            prop_assert!(ended.is_err() || length < KEY_BYTES + MOST_PAD + 20);
        }
    }
}

#[test]
fn every_length_of_pad_is_found() {
    for pad in 0..=MOST_PAD {
        let met = meet(initiating(Methods::RC4, FIRST, pad), accepting(Policy::Allow, MOST_PAD - pad), 1, 3000);
        assert!(met.is_ok(), "{pad}");
    }
}

#[test]
fn a_longer_pad_ends_the_exchange() {
    let met = meet(initiating(Methods::RC4, FIRST, MOST_PAD + 1), accepting(Policy::Allow, 0), 1, 3000);
    assert_eq!(met.err(), Some("the expected bytes do not follow its pad"));
    let met = meet(initiating(Methods::RC4, FIRST, 0), accepting(Policy::Allow, MOST_PAD + 1), 1, 3000);
    assert_eq!(met.err(), Some("the expected bytes do not follow its pad"));
}

/// Sends `bytes` to a side. Returns why it failed; `None` if it did not.
fn refusal(side: Side, bytes: &[u8]) -> Option<Broken> {
    Program::new(side, b"").run(&mut bytes.iter().copied().collect(), &mut VecDeque::new(), || 1 << 20).err()
}

#[test]
fn a_public_number_that_gives_the_secret_away_ends_the_exchange_at_once() {
    let mut one = [0; KEY_BYTES];
    one[KEY_BYTES - 1] = 1;
    for number in [[0; KEY_BYTES], one, [0xff; KEY_BYTES]] {
        for side in [initiating(Methods::BOTH, FIRST, 0), accepting(Policy::Allow, 0)] {
            assert_eq!(refusal(side, &number), Some("its public number is not one that MSE allows"));
        }
    }
}

/// What the initiating side sends if it says this in the encrypted part.
fn says(info_hash: InfoHash, sealed: &[&[u8]]) -> Vec<u8> {
    let secret = power::secret(&power::public(&[2; 20]), &[1; 20]);
    let (mut outward, _) = keys::ciphers(&secret, &info_hash);
    let mut sealed = sealed.concat();
    outward.apply(&mut sealed);
    let name = keys::hide(&keys::name(&info_hash), &secret);
    [&power::public(&[1; 20])[..], &keys::mark(&secret), &name, &sealed].concat()
}

#[test]
fn lies_of_the_initiating_side_are_refused() {
    let rc4 = [0, 0, 0, 2];
    for (said, expected) in [
        (says(TORRENT, &[&VERIFICATION, &rc4, &[0, 0, 0, 0]]), None),
        (says(TORRENT, &[&[1; 8], &rc4, &[0; 4]]), Some("its keys differ from ours")),
        (says(InfoHash([8; 20]), &[&VERIFICATION, &rc4, &[0; 4]]), Some("it asks for a torrent that is not here")),
        (says(TORRENT, &[&VERIFICATION, &rc4, &[2, 1]]), Some("its second pad is too long")),
        (says(TORRENT, &[&VERIFICATION, &rc4, &[0xff; 2]]), Some("its second pad is too long")),
        (
            says(TORRENT, &[&VERIFICATION, &rc4, &[2, 0], &[9; 512], &[0xff; 2]]),
            Some("it sends too many bytes before our answer"),
        ),
        (says(TORRENT, &[&VERIFICATION, &rc4, &[0, 0, 4, 1]]), Some("it sends too many bytes before our answer")),
    ] {
        assert_eq!(refusal(accepting(Policy::Allow, 0), &said), expected);
    }
}

#[test]
fn lies_of_the_accepting_side_are_refused() {
    let secret = power::secret(&power::public(&[1; 20]), &[2; 20]);
    let answers = |sealed: &[u8]| {
        let (_, mut outward) = keys::ciphers(&secret, &TORRENT);
        let mut sealed = [&VERIFICATION[..], sealed].concat();
        outward.apply(&mut sealed);
        [&power::public(&[2; 20])[..], &sealed].concat()
    };
    for (offered, sealed, expected) in [
        (Methods::BOTH, &[0, 0, 0, 2, 0, 0][..], None),
        (Methods::BOTH, &[0, 0, 0, 0, 0, 0], Some("it chose a method that we did not offer")),
        (Methods::BOTH, &[0, 0, 0, 3, 0, 0], Some("it chose a method that we did not offer")),
        (Methods::BOTH, &[0xff, 0xff, 0xff, 0xff, 0, 0], Some("it chose a method that we did not offer")),
        (Methods::RC4, &[0, 0, 0, 1, 0, 0], Some("it chose a method that we did not offer")),
        (Methods::BOTH, &[0, 0, 0, 2, 2, 1], Some("its second pad is too long")),
    ] {
        assert_eq!(refusal(initiating(offered, FIRST, 0), &answers(sealed)), expected, "{sealed:?}");
    }
}

/// A peer that stops after its number leaves ours to the next one. A peer that goes on does not, even if it sends
/// nothing of use.
#[test]
fn numbers_are_spare_until_a_secret_is_made_of_them() {
    let (theirs, ours) = (power::public(&[1; 20]), power::public(&[2; 20]));
    for (came, is_spare) in
        [(&b""[..], true), (&theirs, true), (&[0; KEY_BYTES], true), (&[&theirs[..], &[7; 600]].concat(), false)]
    {
        let mut side = Accepting::new(Policy::Allow, chance(2, 3));
        let mut came = came;
        while let Ok(step) = side.advance(came, find) {
            came = &[];
            if let Step::Receive(_) = step {
                break;
            }
        }
        assert_eq!(side.unused().map(|pair| pair.public), is_spare.then_some(ours));
    }
}

/// The first 20 bytes tell a plain handshake apart, but a public number may begin with the same byte.
#[test]
fn a_public_number_that_begins_like_a_plain_handshake_is_one() {
    let private = (0..=u16::MAX).map(|number| {
        let mut private = [1; 20];
        private[..2].copy_from_slice(&number.to_be_bytes());
        private
    });
    let private = private.into_iter().find(|private| power::public(private)[0] == 0x13).expect("one in 256 does");
    let mut side =
        Initiating::new(TORRENT, Methods::RC4, FIRST.to_vec(), Chance { pair: Pair::new(private), pad: Vec::new() });
    let a: Side = Box::new(move |bytes| side.advance(bytes));
    assert!(meet(a, accepting(Policy::Allow, 0), 1, 7).is_ok());
}

#[test]
fn a_policy_says_what_is_tried_first_and_what_is_left_out() {
    if !IS_BUILT_IN {
        return assert!(Policy::ALL.iter().all(|policy| policy.tries(Some(true)) == [false] && policy.takes_plain()));
    }
    for (policy, known, tries) in [
        (Policy::Off, Some(true), &[false][..]),
        (Policy::Allow, None, &[false, true]),
        (Policy::Allow, Some(false), &[false, true]),
        (Policy::Allow, Some(true), &[true, false]),
        (Policy::Prefer, None, &[true, false]),
        (Policy::Prefer, Some(true), &[true, false]),
        (Policy::Prefer, Some(false), &[false, true]),
        (Policy::Require, Some(false), &[true]),
    ] {
        assert_eq!(policy.tries(known), tries, "{policy:?} {known:?}");
    }
}
