//! A trial: which members come, what the limit is, and what became of it.

use super::lines::Tick;
use super::member::Manners;
use super::swarm::Swarm;

/// Milliseconds of a second.
pub const SECOND: Tick = 1000;

/// A swarm to be tried.
#[derive(Clone, Debug)]
pub struct Trial {
    pub seed: u64,
    pub pieces: u32,
    /// Blocks of 16 KiB of a piece.
    pub blocks: u32,
    /// The members, and when each comes.
    pub members: Vec<(Tick, Manners)>,
    /// How many of a hundred leechers of a class leave in a minute; as many come.
    pub churn: Option<(usize, f64)>,
    /// It is over then in any case.
    pub limit: Tick,
    /// How often it is looked at for the curves.
    pub every: Tick,
}

/// What became of one member.
#[derive(Clone, Debug)]
pub struct Fate {
    pub manners: Manners,
    pub came_at: Tick,
    pub whole_at: Option<Tick>,
    pub left: bool,
    pub sent: u64,
    pub corrupt: u64,
    pub from_class: Vec<u64>,
}

impl Fate {
    /// How long its download took, in seconds.
    pub fn took(&self) -> Option<f64> {
        self.whole_at.map(|at| (at - self.came_at) as f64 / SECOND as f64)
    }
}

/// How the swarm stood at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Seconds.
    pub at: f64,
    /// The part of the content that the leechers have, on average.
    pub progress: f64,
    /// The part of the pieces that fewer than two members have. At first only the seed has each.
    pub lone: f64,
    /// Bytes a second that were sent since the last sample, as a part of what all lines could send.
    pub used: f64,
}

/// What became of a trial.
pub struct Outcome {
    pub fates: Vec<Fate>,
    pub samples: Vec<Sample>,
    /// Bytes of the content.
    pub length: u64,
    /// When it was over, in seconds.
    pub end: f64,
    /// Events that torrents handled, and connections that were opened.
    pub events: u64,
    pub links: usize,
}

impl Trial {
    /// A seed, and `leechers` of its kind. They come within a hundredth of the time that the content takes.
    pub fn alike(seed: u64, leechers: usize, pieces: u32, blocks: u32, manners: Manners) -> Trial {
        let length = u64::from(pieces * blocks) * 16_384;
        let within = length * SECOND / manners.up / 100;
        let comes = |number: usize| (within * number as Tick / leechers.max(1) as Tick, manners);
        let mut members = vec![(0, manners.seed())];
        members.extend((0..leechers).map(comes));
        let limit = 20 * length * SECOND / manners.up;
        Trial { seed, pieces, blocks, members, churn: None, limit, every: (limit / 2000).max(100) }
    }

    pub fn run(&self) -> Outcome {
        let classes = self.members.iter().map(|(_, manners)| manners.class + 1).max().unwrap_or(1);
        let mut swarm = Swarm::new(self.seed, self.pieces, self.blocks, classes);
        // In the order in which they come.
        let mut members = self.members.clone();
        members.sort_by_key(|(at, _)| *at);
        let last = members.last().map_or(0, |(at, _)| *at);
        members.iter().for_each(|(at, manners)| swarm.will_come(*at, *manners));
        let (mut samples, mut sent_before) = (Vec::new(), 0);
        while swarm.calendar.now < self.limit {
            let now = swarm.calendar.now;
            if now.is_multiple_of(self.every) {
                samples.push(sample(&swarm, swarm.sent - sent_before, self.every));
                sent_before = swarm.sent;
            }
            if now.is_multiple_of(SECOND) {
                self.churn(&mut swarm);
                if now > last && is_over(&swarm) {
                    break;
                }
            }
            swarm.step();
        }
        let fates = swarm.members.iter().map(|member| Fate {
            manners: member.manners,
            came_at: member.came_at,
            whole_at: member.whole_at,
            left: member.left,
            sent: member.sent,
            corrupt: member.corrupt,
            from_class: member.from_class.clone(),
        });
        Outcome {
            fates: fates.collect(),
            samples,
            length: swarm.metainfo.length,
            end: swarm.calendar.now as f64 / SECOND as f64,
            events: swarm.events,
            links: swarm.ends.len() / 2,
        }
    }

    /// Once a second: some leave, and as many come.
    fn churn(&self, swarm: &mut Swarm) {
        let Some((class, percent)) = self.churn else { return };
        let chance = (percent / 100.0 / 60.0 * f64::from(u32::MAX)) as usize;
        for number in 0..swarm.members.len() {
            let manners = swarm.members[number].manners;
            let may_leave = !swarm.members[number].left && !manners.seeds && manners.class == class;
            if may_leave && swarm.rng.below(u32::MAX as usize) < chance {
                swarm.leave(number);
                swarm.will_come(swarm.calendar.now, manners);
            }
        }
    }
}

/// Whether all honest leechers that stay are whole.
fn is_over(swarm: &Swarm) -> bool {
    let mut leechers = swarm.members.iter().filter(|member| !member.manners.seeds && member.manners.is_measured);
    leechers.all(|member| member.whole_at.is_some())
}

fn sample(swarm: &Swarm, sent: u64, every: Tick) -> Sample {
    let here = || swarm.members.iter().filter(|member| !member.left);
    let leechers: Vec<_> = here().filter(|member| !member.manners.seeds).collect();
    let pieces = f64::from(swarm.metainfo.piece_count());
    let progress: f64 = leechers.iter().map(|member| f64::from(member.torrent.have().count()) / pieces).sum();
    let lines: u64 = here().map(|member| member.manners.up).sum();
    Sample {
        at: swarm.calendar.now as f64 / SECOND as f64,
        progress: progress / leechers.len().max(1) as f64,
        lone: swarm.copies.iter().filter(|count| **count < 2).count() as f64 / pieces,
        used: sent as f64 * 1000.0 / every as f64 / lines.max(1) as f64,
    }
}

impl Outcome {
    /// How long the downloads of a class took, in seconds, the shortest first; those that did not end are left out.
    pub fn times(&self, class: usize) -> Vec<f64> {
        let of_class = |fate: &&Fate| !fate.manners.seeds && fate.manners.class == class;
        let mut times: Vec<f64> = self.fates.iter().filter(of_class).filter_map(Fate::took).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// When the last leecher of a class was whole, in seconds since the beginning.
    pub fn last(&self, class: usize) -> f64 {
        let of_class = self.fates.iter().filter(|fate| !fate.manners.seeds && fate.manners.class == class);
        of_class.map(|fate| fate.whole_at.map_or(f64::INFINITY, |at| at as f64 / SECOND as f64)).fold(0.0, f64::max)
    }

    /// How many of a class there were, and how many are whole.
    pub fn counts(&self, class: usize) -> (usize, usize) {
        let of_class = || self.fates.iter().filter(|fate| !fate.manners.seeds && fate.manners.class == class);
        (of_class().count(), of_class().filter(|fate| fate.whole_at.is_some()).count())
    }

    /// The least time in which any scheme brings the content to all leechers that there were (Kumar and Ross 2006): the
    /// seeds have to send it once, each leecher has to receive it, and all lines together have to send it to all.
    pub fn bound(&self) -> f64 {
        let length = self.length as f64;
        let leechers = || self.fates.iter().filter(|fate| !fate.manners.seeds && fate.manners.is_honest());
        let seeds = self.fates.iter().filter(|fate| fate.manners.seeds && fate.manners.is_honest());
        let seeds: u64 = seeds.map(|fate| fate.manners.up).sum();
        let all: u64 = seeds + leechers().map(|fate| fate.manners.up).sum::<u64>();
        let slowest = leechers().map(|fate| fate.manners.down).min().unwrap_or(u64::MAX);
        let count = leechers().count() as f64;
        (length / seeds as f64).max(length / slowest as f64).max(count * length / all as f64)
    }

    /// Bytes that the seeds sent, in copies of the content.
    pub fn seeds_sent(&self) -> f64 {
        let seeds = self.fates.iter().filter(|fate| fate.manners.seeds && fate.manners.is_honest());
        let sent: u64 = seeds.map(|fate| fate.sent).sum();
        sent as f64 / self.length as f64
    }
}

/// The middle one of sorted values.
pub fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::INFINITY)
}
