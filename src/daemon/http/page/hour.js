// The picture of the rates of the last hour, and the same in words. The daemon notes the rates, so it is there as soon as
// the page is.

const EVERY = 30000 // milliseconds: as often as the daemon notes them
const [WIDTH, HEIGHT] = [120, 40] // of the picture: as many places as the daemon keeps rates for
let noted = [] // pairs of download and upload, the oldest first
let notedNext = 0 // when they are asked for again

// Asks for the rates if they are old, and draws them with those of this moment.
async function updateHour (now) {
  if (performance.now() >= notedNext) {
    noted = (await ask('session-get', { fields: ['recent-rates'] }))['recent-rates']
    notedNext = performance.now() + EVERY
  }
  const rates = [...noted, now].slice(-WIDTH - 1)
  const most = Math.max(1, ...rates.flat())
  const points = way => rates.map((pair, at) => `${WIDTH + 1 - rates.length + at},${HEIGHT - (HEIGHT - 2) * pair[way] / most}`).join(' ')
  find('hour-down').setAttribute('points', `${WIDTH + 1 - rates.length},${HEIGHT} ${points(0)} ${WIDTH},${HEIGHT}`)
  find('hour-up').setAttribute('points', points(1))
  const words = way => {
    const all = rates.map(pair => pair[way])
    return `${size(all.reduce((sum, rate) => sum + rate, 0) / all.length)}/s on average, at most ${size(Math.max(...all))}/s`
  }
  find('hour').setAttribute('aria-label', `Rates of the last hour. Download: ${words(0)}. Upload: ${words(1)}.`)
  set(find('hour-words'), `last hour, at most ${size(Math.max(...rates.flat()))}/s`)
}
