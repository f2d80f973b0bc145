//! A clock that goes on while the machine sleeps, and an alarm by it.
//!
//! Floor 3. [`Instant`](std::time::Instant) stands still while the machine is suspended, and so do all timeouts. But
//! a promise of another machine, such as a router's, ends by that machine's clock. So it is measured by a clock that
//! does not stand still (`CLOCK_BOOTTIME`, clock_gettime(2)). An alarm by that clock goes off as soon as the machine is
//! awake again (timerfd_create(2)).

use crate::base::time::Time;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The clock for both: of moments, and of timers.
const CLOCK: (ClockId, TimerfdClockId) = (ClockId::Boottime, TimerfdClockId::Boottime);

/// The clock, and its alarm.
pub struct Alarm {
    timer: OwnedFd,
    began: Time,
}

impl Alarm {
    /// The clock begins now. The alarm is off.
    pub fn new() -> io::Result<Alarm> {
        let timer = timerfd_create(CLOCK.1, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        Ok(Alarm { timer, began: since_start_of_machine() })
    }

    /// How much time has passed since the clock began.
    pub fn now(&self) -> Time {
        since_start_of_machine().saturating_sub(self.began)
    }

    /// From the moment `at` on, [`poll`](rustix::event::poll) finds the alarm readable. `None`: never.
    pub fn set(&self, at: Option<Time>) -> io::Result<()> {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A time that the clock can't show never comes.
        let at = at.and_then(|at| Timespec::try_from(self.began.checked_add(at)?).ok());
        let times = Itimerspec { it_interval: none, it_value: at.unwrap_or(none) };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &times)?;
        Ok(())
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

fn since_start_of_machine() -> Time {
    Time::try_from(clock_gettime(CLOCK.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use std::os::fd::AsRawFd;

    fn goes_off_within(alarm: &Alarm, seconds: i64) -> bool {
        let pause = Timespec { tv_sec: seconds, tv_nsec: 0 };
        poll(&mut [PollFd::new(alarm, PollFlags::IN)], Some(&pause)).unwrap() == 1
    }

    #[test]
    fn the_alarm_goes_off_when_its_moment_has_come() {
        let alarm = Alarm::new().unwrap();
        assert!(!goes_off_within(&alarm, 0), "it is off");
        let at = alarm.now() + Time::from_millis(30);
        alarm.set(Some(at)).unwrap();
        assert!(goes_off_within(&alarm, 20) && alarm.now() >= at);
        // Each time it is set is a new one.
        for never in [None, Some(Time::MAX), Some(Time::from_secs(3600))] {
            alarm.set(never).unwrap();
            assert!(!goes_off_within(&alarm, 0), "{never:?}");
        }
        alarm.set(Some(Time::ZERO)).unwrap();
        assert!(goes_off_within(&alarm, 20), "a moment that has passed");
    }

    /// Number 7 is `CLOCK_BOOTTIME` (linux/time.h). The kernel also says which clock a timer has (proc_pid_fdinfo(5)).
    #[test]
    fn the_clock_goes_on_while_the_machine_sleeps() {
        assert_eq!((CLOCK.0 as i32, CLOCK.1 as i32), (7, 7));
        let alarm = Alarm::new().unwrap();
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", alarm.as_fd().as_raw_fd())).unwrap();
        assert!(!text.contains("clockid:") || text.contains("clockid: 7\n"), "{text}");
    }
}
