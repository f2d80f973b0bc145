// Questions to the daemon, in transmission's dialect of RPC; figures in words; and elements.

const PATIENCE = 60000 // milliseconds that an answer may take
let session = ''
// How often the daemon gave another session id. It may have been started again.
let renewals = 0

const silent = () => { throw new Error('The daemon does not answer.') }

// Asks the daemon. A session id that has changed comes with the refusal (409). Throws an error with words for people.
async function ask (method, args = {}) {
  const body = JSON.stringify({ method, arguments: args })
  for (let attempt = 0; attempt < 2; attempt++) {
    const headers = { 'X-Transmission-Session-Id': session }
    const answer = await fetch('../rpc', { method: 'POST', body, headers, signal: AbortSignal.timeout(PATIENCE) }).catch(silent)
    if (answer.status === 409) {
      session = answer.headers.get('X-Transmission-Session-Id') || ''
      renewals++
      continue
    }
    if (!answer.ok) throw new Error(`The daemon refuses: ${(await answer.text().catch(silent)).trim()}`)
    const { result, arguments: values } = await answer.json()
      .catch(() => { throw new Error('The answer of the daemon is not complete, or is not JSON.') })
    if (result !== 'success') throw new Error(`The daemon says: ${result}`)
    return values
  }
  throw new Error('The daemon does not accept its own session id.')
}

// A size in words.
function size (bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit++ }
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)}\u00a0${units[unit]}`
}

// A time in words.
function time (seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86400)} days`
}

const number = count => count.toLocaleString('en')
const peers = number => number === 1 ? '1 peer' : `${number} peers`

// A text of strangers within one of ours: the direction of its letters ends with it.
const isolate = text => `\u2068${text}\u2069`

const find = id => document.getElementById(id)

// Makes an element.
function make (kind, fields, ...children) {
  const element = Object.assign(document.createElement(kind), fields)
  element.append(...children)
  return element
}

// Changes a text only if it differs.
function set (element, text) {
  if (element.textContent !== text) element.textContent = text
}

// What a torrent does, or why nothing moves. It begins with a sign, so that no colour is needed.
function doing (torrent) {
  const { status, error, errorString, metadataPercentComplete: known, peersConnected: connected } = torrent
  if (error === 3 && status > 2) return `⚠ waits, and goes on by itself: ${isolate(errorString)}`
  if (error) return `⚠ ${error === 1 ? 'tracker warns' : error === 2 ? 'tracker refuses' : 'error'}: ${isolate(errorString)}`
  if (status === 0) return torrent.percentDone < 1 ? '■ stopped' : '■ stopped, complete'
  if (status === 1) return '… waits to be verified'
  if (status === 2) return `… verifying, ${Math.floor(torrent.recheckProgress * 100)} %`
  if (status === 3) return '… queued: the maximum number of torrents is downloading'
  if (status === 5) return '… queued: the maximum number of torrents is seeding'
  if (status === 6 && !connected) return '▲ seeding, no peers are connected'
  if (status === 6) return `▲ seeding to ${torrent.peersGettingFromUs} of ${peers(connected)}`
  if (known < 1) {
    return connected ? `▼ asking ${peers(connected)} for the torrent's description`
      : "▼ no peers yet that could send the torrent's description"
  }
  if (torrent.rateDownload) return `▼ downloading from ${torrent.peersSendingToUs} of ${peers(connected)}`
  return connected ? `▼ connected to ${peers(connected)}, nothing arrives for the moment` : '▼ no peers are connected'
}
