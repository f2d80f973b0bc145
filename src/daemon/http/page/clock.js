// The hours of slow mode: the daemon turns it on and off by its clock.

const clockDays = () => [...find('clock-days').querySelectorAll('input')]

// Shows them in the dialog.
function showClock (settings) {
  const two = number => String(number).padStart(2, '0')
  find('clock').checked = settings['alt-speed-time-enabled']
  for (const edge of ['begin', 'end']) {
    const minutes = settings[`alt-speed-time-${edge}`]
    find(`clock-${edge}`).value = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
  }
  for (const day of clockDays()) day.checked = settings['alt-speed-time-day'] & day.value
}

// The settings that a person has changed. The daemon follows its clock at once if it gets one of them, so it does not get
// the others.
function changedClock (settings) {
  const day = clockDays().reduce((sum, { checked, value }) => checked ? sum + Number(value) : sum, 0)
  const chosen = { 'alt-speed-time-enabled': find('clock').checked, 'alt-speed-time-day': day }
  for (const edge of ['begin', 'end']) {
    const [hours, minutes] = find(`clock-${edge}`).value.split(':').map(Number)
    if (minutes !== undefined) chosen[`alt-speed-time-${edge}`] = hours * 60 + minutes
  }
  return Object.fromEntries(Object.entries(chosen).filter(([name, value]) => settings[name] !== value))
}
