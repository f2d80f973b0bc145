// The details of one torrent: pieces, files, peers and trackers.

const DETAIL_FIELDS = ['hashString', 'name', 'status', 'error', 'errorString', 'metadataPercentComplete', 'peersConnected',
  'percentDone', 'recheckProgress', 'peersGettingFromUs', 'peersSendingToUs', 'rateDownload', 'rateUpload', 'totalSize', 'downloadedEver',
  'uploadedEver', 'uploadRatio', 'addedDate', 'downloadDir', 'pieces', 'pieceCount', 'peers', 'trackerStats', 'downloadLimit',
  'downloadLimited', 'uploadLimit', 'uploadLimited']
// The last letter of a peer's flags: where its address comes from.
const SOURCES = { T: 'tracker', H: 'DHT', X: 'other peers', I: 'it connected to us', L: 'local network', C: 'kept' }

let opened = '' // the hash of the torrent that is shown; '': none
let filled = '' // the hash of the torrent whose limits are in the form
let filesNext = 0 // when its files are asked for again
let drawn = '' // the pieces in the picture
const files = fileList(find('files'), true)

// Shows a torrent.
async function showDetails (hash) {
  opened = hash
  filled = ''
  find('details').hidden = false
  await updateDetails()
  find('close').focus()
}

function closeDetails () {
  opened = ''
  find('details').hidden = true
  find('list').focus()
}

// Asks for the torrent again, and shows what has changed.
async function updateDetails () {
  if (!opened) return
  const [torrent] = (await ask('torrent-get', { ids: [opened], fields: DETAIL_FIELDS })).torrents
  if (!opened || (torrent && torrent.hashString !== opened)) return
  if (!torrent) return closeDetails()
  set(find('detail-name'), torrent.name)
  set(find('why'), why(torrent))
  set(find('figures'), `${size(torrent.totalSize)} in ${torrent.downloadDir}; downloaded ${size(torrent.downloadedEver)}, ` +
    `uploaded ${size(torrent.uploadedEver)}, ratio ${Math.max(0, torrent.uploadRatio).toFixed(2)}; ` +
    `added ${new Date(torrent.addedDate * 1000).toLocaleString()}; info-hash ${torrent.hashString}`)
  drawPieces(torrent)
  if (filled !== opened) {
    filled = opened
    filesNext = 0
    find('files').hidden = !files.shows(opened)
    find('own').down.value = torrent.downloadLimited ? torrent.downloadLimit : ''
    find('own').up.value = torrent.uploadLimited ? torrent.uploadLimit : ''
  }
  updateFiles().catch(fail)
  lines(find('peers'), torrent.peers.map(peerWords), 'No peer is connected.')
  lines(find('trackers'), torrent.trackerStats.map(trackerWords), 'The torrent names no tracker.')
}

// Why nothing moves: the torrent's own words, and those of a tracker if there is no peer.
function why (torrent) {
  const words = doing(torrent)
  if (torrent.error || torrent.status !== 4 || torrent.peersConnected) return words
  const failing = torrent.trackerStats.find(tracker => tracker.hasAnnounced && !tracker.lastAnnounceSucceeded)
  if (failing) return `${words}: ${failing.host} says: ${isolate(failing.lastAnnounceResult)}`
  if (!torrent.trackerStats.length) return `${words}: the torrent names no tracker`
  return torrent.trackerStats.some(tracker => tracker.hasAnnounced) ? `${words}: no tracker knows one` : words
}

// Asks for the files. Those of a large torrent need seconds: nothing waits for them, and they are asked for less often, so
// that they take at most a twentieth of the time.
async function updateFiles () {
  const start = performance.now()
  if (start < filesNext) return
  filesNext = Infinity
  try {
    const fields = files.shows(opened) ? ['hashString', 'fileStats'] : ['hashString', 'name', 'files', 'fileStats']
    const [torrent] = (await ask('torrent-get', { ids: [opened], fields })).torrents
    if (!torrent || torrent.hashString !== opened) return
    files.show(torrent)
    find('files').hidden = false
  } finally {
    const now = performance.now()
    filesNext = now + 20 * (now - start)
  }
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
  return `${peer.address}:${peer.port} · ${isolate(peer.clientName || 'unknown client')} · has ${Math.floor(peer.progress * 100)} % · ` +
    `↓\u00a0${size(peer.rateToClient)}/s ↑\u00a0${size(peer.rateToPeer)}/s · flags ${peer.flagStr} · from: ${source}`
}

function trackerWords (tracker) {
  const now = Date.now() / 1000
  const result = tracker.announceState === 3 ? 'is being asked'
    : !tracker.hasAnnounced ? 'was not asked yet'
      : tracker.lastAnnounceSucceeded ? `introduced ${peers(tracker.lastAnnouncePeerCount)}` : isolate(tracker.lastAnnounceResult)
  const next = tracker.nextAnnounceTime > 0 ? `; is asked next in ${time(tracker.nextAnnounceTime - now)}` : ''
  const backup = tracker.isBackup ? '; is asked when the others of its tier fail' : ''
  return `${tracker.host}: ${result}${next}${backup}`
}

// Draws the pieces: a filled part of the bar is there. If a column stands for several pieces, it is as dark as many of
// them are there. The same is said in words.
function drawPieces ({ pieces, pieceCount, percentDone }) {
  const canvas = find('pieces')
  const colour = getComputedStyle(canvas).color
  if (drawn === pieces + colour) return
  drawn = pieces + colour
  const pen = canvas.getContext('2d')
  const bytes = atob(pieces)
  const has = piece => bytes.charCodeAt(piece >> 3) >> (7 - (piece & 7)) & 1
  let have = 0
  for (let piece = 0; piece < pieceCount; piece++) have += has(piece)
  pen.clearRect(0, 0, canvas.width, canvas.height)
  pen.fillStyle = colour
  for (let column = 0; column < canvas.width && pieceCount; column++) {
    const from = Math.floor(column * pieceCount / canvas.width)
    const to = Math.max(from + 1, Math.floor((column + 1) * pieceCount / canvas.width))
    let there = 0
    for (let piece = from; piece < to; piece++) there += has(piece)
    pen.globalAlpha = there / (to - from)
    pen.fillRect(column, 0, 1, canvas.height)
  }
  canvas.setAttribute('aria-label', `Pieces: ${number(have)} of ${number(pieceCount)}, ${Math.floor(percentDone * 100)} %`)
}
