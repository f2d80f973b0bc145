//! The lines are shared as the textbook says.

use super::lab::lines::Lines;

/// The textbook: all rates grow alike; those at a full line stay.
fn filled(capacities: &[f64], flows: &[[usize; 2]]) -> Vec<f64> {
    let (mut rates, mut fixed) = (vec![0.0; flows.len()], vec![false; flows.len()]);
    while fixed.contains(&false) {
        let room = |line: usize| {
            let on = (0..flows.len()).filter(|&flow| flows[flow].contains(&line));
            let (mut left, mut free) = (capacities[line], 0.0);
            for flow in on {
                left -= rates[flow];
                free += f64::from(!fixed[flow] as u8);
            }
            if free > 0.0 { left / free } else { f64::INFINITY }
        };
        let rooms: Vec<f64> = (0..capacities.len()).map(room).collect();
        let step = rooms.iter().copied().fold(f64::INFINITY, f64::min);
        (0..flows.len()).filter(|&flow| !fixed[flow]).for_each(|flow| rates[flow] += step);
        for flow in 0..flows.len() {
            fixed[flow] |= flows[flow].iter().any(|&line| rooms[line] <= step * (1.0 + 1e-9));
        }
    }
    rates
}

#[test]
fn the_shares_are_those_of_the_textbook_whatever_begins_and_ends() {
    let mut chance = swarmlet::base::rng::Rng::new(5);
    let mut lines = Lines::default();
    let capacities: Vec<u64> = (0..24).map(|_| 1000 * (10 + chance.below(1000) as u64)).collect();
    capacities.chunks(2).for_each(|pair| lines.add(pair[0], pair[1]));
    let mut flows: Vec<(u32, [usize; 2])> = Vec::new();
    for _ in 0..2000 {
        if flows.len() > 60 || (!flows.is_empty() && chance.below(3) == 0) {
            lines.end(flows.swap_remove(chance.below(flows.len())).0);
        } else {
            let (from, to) = (chance.below(12), chance.below(12));
            flows.push((lines.begin(from, to, 0, 16_384, 0), [2 * from, 2 * to + 1]));
        }
        lines.settle(0, |_, _| {});
        let capacities: Vec<f64> = capacities.iter().map(|rate| *rate as f64 / 1000.0).collect();
        let right = filled(&capacities, &flows.iter().map(|(_, lines)| *lines).collect::<Vec<_>>());
        for ((id, _), right) in flows.iter().zip(right) {
            let rate = lines.rate(*id);
            assert!((rate - right).abs() < 0.05 * right, "{rate} instead of {right}");
        }
    }
    assert!(lines.looks < 2000 * 60, "{} looks at lines", lines.looks);
}
