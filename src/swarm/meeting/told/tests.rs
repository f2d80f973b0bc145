use super::*;

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([8, 8, 8, number], 6881))
}

fn peers(numbers: impl IntoIterator<Item = u8>) -> BTreeMap<SocketAddr, Flags> {
    numbers.into_iter().map(|number| (addr(number), Flags::NONE)).collect()
}

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

impl Told {
    /// The message to a peer that may know all others.
    fn tell(&mut self, met: &BTreeMap<SocketAddr, Flags>, left: &[Left], now: Time) -> Option<Pex> {
        self.news(met, left, &|_| true, SocketAddr::from(([0; 4], 0)), now)
    }
}

/// How many are added, and how many dropped; `None` if nothing is sent.
fn counts(news: Option<Pex>) -> Option<(usize, usize)> {
    news.map(|pex| (pex.added.len(), pex.dropped.len()))
}

#[test]
fn first_all_then_differences_and_nothing_if_nothing_changed() {
    let mut told = Told::default();
    let all = BTreeMap::from([(addr(1), Flags::SEED), (addr(2), Flags::REACHABLE)]);
    let added = vec![(addr(1), Flags::SEED), (addr(2), Flags::REACHABLE)];
    assert_eq!(told.next(), Time::ZERO);
    assert_eq!(told.tell(&all, &[], at(5)), Some(Pex { added, dropped: vec![] }));
    assert_eq!(told.next(), at(65), "at most one a minute");
    assert_eq!((told.tell(&all, &[], at(65)), told.next()), (None, at(65)), "what was not sent counts for nothing");
    let (added, dropped) = (vec![(addr(3), Flags::NONE)], vec![addr(1)]);
    assert_eq!(told.tell(&peers([2, 3]), &[], at(70)), Some(Pex { added, dropped }));
    assert_eq!(told.tell(&peers([2, 3]), &[], at(130)), None);
}

#[test]
fn what_does_not_fit_stays_for_the_next_message() {
    let mut told = Told::default();
    let many = peers(0..95);
    let mut sent = BTreeSet::new();
    for (minute, count) in [(0, 50), (1, 45)] {
        let news = told.tell(&many, &[], at(60 * minute)).unwrap();
        assert_eq!((news.added.len(), news.dropped.len()), (count, 0));
        sent.extend(news.added.into_iter().map(|(addr, _)| addr));
        assert_eq!(told.has_more(), minute < 1);
    }
    assert!(sent.iter().eq(many.keys()), "each is told once");
    assert_eq!(counts(told.tell(&peers([]), &[], at(180))), Some((0, 50)));
    assert!(told.has_more());
    assert_eq!(counts(told.tell(&peers([200]), &[], at(240))), Some((1, 45)));
    assert!(!told.has_more());
}

/// A peer that left and came back between two messages is not a change.
#[test]
fn no_message_adds_and_drops_an_address_and_memory_is_bounded() {
    let mut told = Told::default();
    let mut rng = crate::base::rng::Rng::new(7);
    let mut model = BTreeSet::new();
    for minute in 0..500 {
        let live = peers((0..200).filter(|_| rng.below(4) == 0));
        let left: Vec<Left> = (0..FEW)
            .map(|_| Left { addr: addr(rng.below(250) as u8), flags: Flags::NONE, at: at(60 * minute) })
            .collect();
        let Some(news) = told.tell(&live, &left, at(60 * minute)) else { continue };
        for (added, _) in &news.added {
            assert!(model.insert(*added), "{added} is added twice");
        }
        for dropped in &news.dropped {
            assert!(model.remove(dropped), "{dropped} is dropped, but was never added, or just now");
            assert!(!live.contains_key(dropped));
        }
        assert!(news.added.len() <= MOST && news.dropped.len() <= MOST);
        assert!(told.known.len() <= MOST_KNOWN, "{} are remembered", told.known.len());
    }
}

#[test]
fn while_few_are_connected_those_that_left_are_told_once_and_dropped_in_the_next() {
    let left = |number: u8, seconds| Left { addr: addr(number), flags: Flags::SEED, at: at(seconds) };
    let mut told = Told::default();
    let all: Vec<Left> = (100..150).map(|number| left(number, 1)).collect();
    // Together with the connected ones they are 25.
    let news = told.tell(&peers(0..5), &all[..], at(10)).unwrap();
    assert_eq!(news.added.len(), FEW);
    assert_eq!(news.added.iter().filter(|(_, flags)| *flags == Flags::SEED).count(), FEW - 5);
    assert!(told.has_more(), "they are to be dropped");
    assert_eq!(counts(told.tell(&peers(0..5), &all[..], at(70))), Some((0, FEW - 5)));
    assert_eq!(told.tell(&peers(0..5), &all[..], at(130)), None, "and not told again");
    // Peers that were told while they were connected are dropped at once, and others told.
    let gone = [left(0, 140), left(7, 140)];
    let news = told.tell(&peers(1..5), &gone, at(190)).unwrap();
    assert_eq!((news.added, news.dropped), (vec![(addr(7), Flags::SEED)], vec![addr(0)]));
    // If many are connected, there is no need.
    let mut told = Told::default();
    assert_eq!(counts(told.tell(&peers(0..25), &all[..], at(10))), Some((25, 0)));
}

/// Memory is bounded, so if there are very many peers, each is told about some, and not all about the same ones.
#[test]
fn if_peers_are_very_many_each_is_told_about_different_ones() {
    let many = peers(0..250);
    let told_to = |itself: u8| {
        let mut told = Told::default();
        (0..10).for_each(|minute| {
            drop(told.news(&many, &[], &|other| other != addr(itself), addr(itself), at(60 * minute)))
        });
        assert!(told.known.len() == MOST_KNOWN && !told.has_more() && !told.known.contains(&addr(itself)));
        // If some leave, others are told.
        let fewer = peers((0..250).filter(|number| addr(*number) != *told.known.first().unwrap()));
        assert_eq!(counts(told.news(&fewer, &[], &|_| true, addr(itself), at(6000))), Some((0, 1)));
        assert!(told.has_more());
        assert_eq!(counts(told.news(&fewer, &[], &|_| true, addr(itself), at(6060))), Some((1, 0)));
        told.known
    };
    assert!(told_to(0) != told_to(120));
}

/// Each address family has 25 places.
#[test]
fn the_families_are_counted_apart() {
    let six = Left { addr: "[2001:db8::1]:1".parse().unwrap(), flags: Flags::NONE, at: at(1) };
    let news = Told::default().tell(&peers(0..30), &[six], at(10)).unwrap();
    assert_eq!(news.added.len(), 31);
}

#[test]
fn the_seventh_message_within_a_minute_is_a_flood() {
    let mut told = Told::default();
    let verdicts: Vec<Verdict> = (0..7).map(|second| told.came(at(100 + second))).collect();
    assert_eq!(verdicts[0], Verdict::Read);
    assert_eq!(verdicts[1..6], [Verdict::TooSoon; 5]);
    assert_eq!(verdicts[6], Verdict::Flood);
    let mut told = Told::default();
    assert!((0..50).all(|minute| told.came(at(60 * minute)) == Verdict::Read), "an honest peer");
    let mut told = Told::default();
    let verdicts: Vec<Verdict> = (0..30).map(|number| told.came(at(10 * number))).collect();
    assert!(!verdicts.contains(&Verdict::Flood), "six a minute");
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Read).count(), 6);
}
