// The details of one torrent: pieces, files, peers and trackers.

import { ask, size, time, peers, doing } from './rpc.js'

const find = id => document.getElementById(id)
const FIELDS = ['hashString', 'name', 'status', 'error', 'errorString', 'metadataPercentComplete', 'peersConnected',
  'percentDone', 'recheckProgress', 'peersGettingFromUs', 'peersSendingToUs', 'rateDownload', 'rateUpload', 'totalSize', 'downloadedEver',
  'uploadedEver', 'downloadDir', 'pieces', 'pieceCount', 'files', 'fileStats', 'peers', 'trackerStats', 'downloadLimit',
  'downloadLimited', 'uploadLimit', 'uploadLimited']
// The last letter of a peer's flags: where its address comes from.
const SOURCES = { T: 'tracker', H: 'DHT', X: 'other peers', I: 'it connected to us', L: 'local network', C: 'kept' }

export let open = '' // the hash of the torrent that is shown; '': none
let filled = '' // the hash of the torrent whose limits are in the form
let fail = () => {}

// Shows a torrent. `failed` is called with an error.
export async function show (hash, failed) {
  open = hash
  fail = failed
  filled = ''
  find('details').hidden = false
  await update()
  find('close').focus()
}

export function close () {
  open = ''
  find('details').hidden = true
  find('list').focus()
}

// Asks for the torrent again, and shows what has changed.
export async function update () {
  if (!open) return
  const [torrent] = (await ask('torrent-get', { ids: [open], fields: FIELDS })).torrents
  if (!open || (torrent && torrent.hashString !== open)) return
  if (!torrent) return close()
  set(find('detail-name'), torrent.name)
  set(find('why'), why(torrent))
  set(find('figures'), `${size(torrent.totalSize)} in ${torrent.downloadDir}; downloaded ${size(torrent.downloadedEver)}, ` +
    `uploaded ${size(torrent.uploadedEver)}`)
  drawPieces(torrent)
  if (filled !== open) {
    filled = open
    find('own').down.value = torrent.downloadLimited ? torrent.downloadLimit : ''
    find('own').up.value = torrent.uploadLimited ? torrent.uploadLimit : ''
  }
  listFiles(find('files'), torrent, true)
  lines(find('peers'), torrent.peers.map(peerWords), 'No peer is connected.')
  lines(find('trackers'), torrent.trackerStats.map(trackerWords), 'The torrent names no tracker.')
}

// Why nothing moves: the torrent's own words, and those of a tracker if there is no peer.
function why (torrent) {
  const words = doing(torrent)
  if (torrent.error || torrent.status !== 4 || torrent.peersConnected) return words
  const failing = torrent.trackerStats.find(tracker => tracker.hasAnnounced && !tracker.lastAnnounceSucceeded)
  if (failing) return `${words}: ${failing.host} says: ${failing.lastAnnounceResult}`
  if (!torrent.trackerStats.length) return `${words}: the torrent names no tracker`
  return torrent.trackerStats.some(tracker => tracker.hasAnnounced) ? `${words}: no tracker knows one` : words
}

function set (element, text) {
  if (element.textContent !== text) element.textContent = text
}

// Shows lines of text in a list, and changes only the lines that differ.
function lines (list, texts, none) {
  if (!texts.length) texts = [none]
  while (list.children.length > texts.length) list.lastChild.remove()
  while (list.children.length < texts.length) list.append(document.createElement('li'))
  texts.forEach((text, at) => set(list.children[at], text))
}

function peerWords (peer) {
  const source = SOURCES[peer.flagStr.slice(-1)] || 'unknown'
  return `${peer.address}:${peer.port} · ${peer.clientName || 'unknown client'} · has ${Math.floor(peer.progress * 100)} % · ` +
    `↓ ${size(peer.rateToClient)}/s ↑ ${size(peer.rateToPeer)}/s · flags ${peer.flagStr} · from: ${source}`
}

function trackerWords (tracker) {
  const now = Date.now() / 1000
  const result = tracker.announceState === 3 ? 'is being asked'
    : !tracker.hasAnnounced ? 'was not asked yet'
      : tracker.lastAnnounceSucceeded ? `introduced ${peers(tracker.lastAnnouncePeerCount)}` : tracker.lastAnnounceResult
  const next = tracker.nextAnnounceTime > 0 ? `; is asked next in ${time(tracker.nextAnnounceTime - now)}` : ''
  return `${tracker.host}: ${result}${next}`
}

// Draws the pieces: a filled part of the bar is there. The same is said in words.
function drawPieces ({ pieces, pieceCount, percentDone }) {
  const canvas = find('pieces')
  const pen = canvas.getContext('2d')
  const bytes = atob(pieces)
  let have = 0
  pen.clearRect(0, 0, canvas.width, canvas.height)
  pen.fillStyle = getComputedStyle(canvas).color
  const width = canvas.width / Math.max(1, pieceCount)
  for (let piece = 0; piece < pieceCount; piece++) {
    if (bytes.charCodeAt(piece >> 3) & (128 >> (piece & 7))) {
      have++
      // Whole pixels: there is no gap between neighbours.
      const left = Math.floor(piece * width)
      pen.fillRect(left, 0, Math.ceil((piece + 1) * width) - left, canvas.height)
    }
  }
  canvas.setAttribute('aria-label', `Pieces: ${have} of ${pieceCount}, ${Math.floor(percentDone * 100)} %`)
}

// Shows the files with a box for each, and with their priority if `live`: then a change counts at once.
export function listFiles (list, torrent, live) {
  const { hashString: hash, files, fileStats } = torrent
  if (list.dataset.hash !== hash || list.children.length !== files.length) {
    list.dataset.hash = hash
    list.replaceChildren(...files.map((file, at) => makeFile(hash, file, at, live)))
  }
  files.forEach((file, at) => {
    const item = list.children[at]
    const box = item.querySelector('input')
    const priority = item.querySelector('select')
    if (live && document.activeElement !== box) box.checked = fileStats[at].wanted
    if (priority && document.activeElement !== priority) priority.value = fileStats[at].priority
    const part = file.length ? Math.floor(file.bytesCompleted / file.length * 100) : 100
    set(item.querySelector('.quiet'), live ? `${part} % of ${size(file.length)}` : size(file.length))
  })
}

function makeFile (hash, file, at, live) {
  const make = (kind, fields, ...children) => {
    const element = Object.assign(document.createElement(kind), fields)
    element.append(...children)
    return element
  }
  const change = args => ask('torrent-set', { ids: [hash], ...args }).catch(fail)
  const box = make('input', { type: 'checkbox', checked: true })
  const label = make('label', {}, box, make('span', { textContent: file.name }), make('span', { className: 'quiet' }))
  const item = make('li', { className: 'file' }, label)
  if (live) {
    box.addEventListener('change', () => change({ [box.checked ? 'files-wanted' : 'files-unwanted']: [at] }))
    const priority = make('select', {}, ...[['1', 'high'], ['0', 'normal'], ['-1', 'low']].map(([value, textContent]) =>
      make('option', { value, textContent })))
    priority.setAttribute('aria-label', `Priority of ${file.name}`)
    priority.addEventListener('change', () => {
      change({ [`priority-${priority.selectedOptions[0].textContent}`]: [at] })
    })
    item.append(priority)
  }
  return item
}
