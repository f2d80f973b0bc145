//! The summary as a picture (SVG): how much each leecher had over time beside the fluid limit, and what each peer gave
//! and took.
//!
//! Floor 4, part of [`demo`](super). Pure. All lengths are whole tenths of a pixel.

use super::figures::{Kind, Peer, Swarm, label, tenths};
use super::screen::head;
use crate::base::time::Time;
use crate::base::units::{duration, size};

/// How each picture begins.
pub const BEGIN: &str = "<svg ";
/// The width of the picture.
const WIDTH: u64 = 8600;
/// Where the curves are.
const LEFT: u64 = 800;
const RIGHT: u64 = 8200;
const TOP: u64 = 1000;
const BOTTOM: u64 = 3800;
/// Where the first row of bars is, how high a row is, and how long the longest bar is.
const BARS: u64 = 4900;
const ROW: u64 = 360;
const BAR: u64 = 3600;
/// Colours that differ in brightness, too (Okabe and Ito): leechers and what is given, free-riders, what is taken.
const BLUE: &str = "#0072b2";
const RED: &str = "#d55e00";
const YELLOW: &str = "#e69f00";

/// The picture.
pub fn picture(swarm: &Swarm) -> String {
    let height = BARS + ROW * swarm.peers.len() as u64 + 200;
    let mut svg = format!(
        "{BEGIN}xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{}\" height=\"{}\" \
         font-family=\"sans-serif\" font-size=\"130\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        WIDTH / 10,
        height / 10
    );
    svg += &text(LEFT, 400, "start", 170, &head(swarm));
    curves(swarm, &mut svg);
    bars(swarm, &mut svg);
    svg + "</svg>\n"
}

fn text(x: u64, y: u64, anchor: &str, size: u64, text: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{text}</text>\n")
}

fn small(x: u64, y: u64, anchor: &str, words: &str) -> String {
    text(x, y, anchor, 130, words)
}

fn line(path: &str, colour: &str, width: u64, more: &str) -> String {
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{more}/>\n")
}

fn milliseconds(time: Time) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `part` of `whole`, scaled to `length`.
fn scaled(part: u64, whole: u64, length: u64) -> u64 {
    // At most `length`.
    (u128::from(part.min(whole)) * u128::from(length) / u128::from(whole.max(1))) as u64
}

/// A round number of milliseconds, so that an axis of this length has four to ten ticks.
fn tick(length: u64) -> u64 {
    let mut ten = 1;
    while length / ten >= 40 {
        ten *= 10;
    }
    [5, 2, 1].map(|step| step * ten).into_iter().find(|step| length / step >= 4).unwrap_or(ten)
}

/// How much each leecher had over time.
fn curves(swarm: &Swarm, svg: &mut String) {
    let limit = swarm.fluid_limit().map(milliseconds);
    let last = milliseconds(swarm.complete_at().unwrap_or(swarm.time)).max(1);
    let end = limit.map_or(last, |limit| limit.min(3 * last).max(last));
    let end = end + end / 20;
    let across = |time: u64| LEFT + scaled(time, end, RIGHT - LEFT);
    let up = |share: u64| BOTTOM - scaled(share, 1000, BOTTOM - TOP);
    for percent in (0..=100).step_by(25) {
        let y = up(percent * 10);
        *svg += &line(&format!("M{LEFT} {y}H{RIGHT}"), "#ddd", 10, "");
        *svg += &small(LEFT - 80, y + 40, "end", &format!("{percent} %"));
    }
    for time in (0..=end).step_by(tick(end).max(1) as usize) {
        *svg += &line(&format!("M{} {BOTTOM}v50", across(time)), "black", 10, "");
        *svg += &small(across(time), BOTTOM + 220, "middle", &duration(Time::from_millis(time)));
    }
    for peer in swarm.leechers() {
        let colour = if peer.kind == Kind::FreeRider { RED } else { BLUE };
        *svg += &line(&path(peer, &across, &up), colour, 20, " stroke-opacity=\"0.7\"");
    }
    if let Some(limit) = limit.filter(|limit| *limit <= end) {
        let x = across(limit);
        *svg += &line(&format!("M{x} {TOP}V{BOTTOM}"), "black", 12, " stroke-dasharray=\"50 40\"");
        let words = format!("fluid limit {}", duration(Time::from_millis(limit)));
        *svg += &small(x - 60, TOP - 60, "end", &words);
    }
    *svg += &small(LEFT, TOP - 60, "start", "pieces of each leecher, over time");
}

fn path(peer: &Peer, across: &dyn Fn(u64) -> u64, up: &dyn Fn(u64) -> u64) -> String {
    let mut path = format!("M{} {}", across(0), up(0));
    for (time, share) in &peer.history {
        path += &format!("L{} {}", across(milliseconds(*time)), up(u64::from(*share)));
    }
    path
}

/// What each peer gave and took.
fn bars(swarm: &Swarm, svg: &mut String) {
    let most = swarm.peers.iter().map(|peer| peer.given.max(peer.taken)).max().unwrap_or(0);
    for (x, colour, words) in [(LEFT, BLUE, "gave"), (LEFT + 700, YELLOW, "took")] {
        *svg += &bar(x, BARS - 350, 200, colour);
        *svg += &small(x + 260, BARS - 240, "start", words);
    }
    let riders = swarm.peers.iter().any(|peer| peer.kind == Kind::FreeRider);
    if riders {
        *svg += &line(&format!("M{} {}h200", LEFT + 1400, BARS - 285), RED, 20, "");
        *svg += &small(LEFT + 1660, BARS - 240, "start", "* a free-rider, which unchokes nobody");
    }
    for (number, peer) in swarm.peers.iter().enumerate() {
        let y = BARS + ROW * number as u64;
        *svg += &small(LEFT - 80, y + 180, "end", label(number, peer.kind).trim());
        *svg += &bar(LEFT, y, scaled(peer.given, most, BAR), BLUE);
        *svg += &bar(LEFT, y + 140, scaled(peer.taken, most, BAR), YELLOW);
        let longest = scaled(peer.given.max(peer.taken), most, BAR);
        *svg += &small(LEFT + longest + 100, y + 180, "start", &words(peer));
    }
}

fn words(peer: &Peer) -> String {
    let end = match peer.complete_at {
        Some(time) => format!(", complete after {} s", tenths(time)),
        None if peer.kind == Kind::Seed => String::new(),
        None => ", not complete".into(),
    };
    match peer.kind {
        Kind::Seed => format!("gave {}", size(peer.given)),
        Kind::Leecher | Kind::FreeRider => format!("gave {}, took {}{end}", size(peer.given), size(peer.taken)),
    }
}

fn bar(x: u64, y: u64, width: u64, colour: &str) -> String {
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"130\" fill=\"{colour}\"/>\n")
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::swarm;
    use super::*;

    #[test]
    fn the_picture_has_a_curve_and_two_bars_for_each_leecher() {
        let mut swarm = swarm(&[(Kind::Seed, &[0, 1, 2, 3]), (Kind::Leecher, &[0, 1]), (Kind::FreeRider, &[])]);
        (swarm.peers[0].given, swarm.peers[1].taken, swarm.peers[1].given) = (4000, 2000, 900);
        swarm.peers[1].history = vec![(Time::from_secs(2), 500)];
        let svg = picture(&swarm);
        // The axis ends after 4.2 s: the fluid limit and a twentieth.
        assert!(svg.contains("<path d=\"M800 3800L4323 2400\""), "half of it after 2 s: {svg}");
        assert!(svg.contains(">fluid limit 4 s<") && svg.contains("M7847 1000V3800"), "{svg}");
        let bars = [
            "y=\"4900\" width=\"3600\"",
            "y=\"5260\" width=\"810\"",
            "y=\"5400\" width=\"1800\"",
            "y=\"5760\" width=\"0\"",
        ];
        assert!(bars.iter().all(|bar| svg.contains(bar)), "{svg}");
        assert!(svg.contains(">2*<") && svg.contains(">gave 900 B, took 1.95 KiB, not complete<"), "{svg}");
        let open = svg.matches("<text").count();
        assert_eq!((open, svg.matches("</text>").count()), (open, open));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains('&'));
    }

    #[test]
    fn an_axis_has_four_to_ten_ticks() {
        for length in 4..100_000 {
            assert!((4..=10).contains(&(length / tick(length))), "{length}: {}", tick(length));
        }
    }
}
