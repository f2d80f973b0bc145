// The list of torrents. Only the rows that can be seen exist; a row changes only if its torrent did. The keyboard stays
// on the list itself, which names its current row, so an update never moves the focus.

const list = find('list')
const space = find('space')
const state = find('state')
const order = find('order')
const text = find('text')
const several = find('several')

const torrents = new Map() // hash -> fields
const selected = new Set() // hashes
const rows = new Map() // hash -> { row, name, bar, words, shown }
let height = 64 // of a row, in pixels, as the styles have it
let ids = [] // the hashes of those that the filter shows, in order
let current = '' // the hash of the row with the keyboard
let anchor = '' // the hash where a range begins
let onChange = () => {}
let onOpen = () => {}

const kinds = {
  all: () => true,
  down: t => t.status === 3 || t.status === 4,
  up: t => t.status === 5 || t.status === 6,
  stopped: t => t.status === 0,
  error: t => t.error !== 0
}
const orders = {
  queue: (a, b) => a.queuePosition - b.queuePosition,
  name: (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
  progress: (a, b) => a.percentDone - b.percentDone,
  rate: (a, b) => b.rateDownload + b.rateUpload - a.rateDownload - a.rateUpload,
  size: (a, b) => b.totalSize - a.totalSize,
  added: (a, b) => b.addedDate - a.addedDate
}

// Sorts and filters again, and shows the result.
function updateList () {
  const part = text.value.toLowerCase()
  ids = [...torrents.values()]
    .filter(t => kinds[state.value](t) && (!part || t.name.toLowerCase().includes(part)))
    .sort((a, b) => orders[order.value](a, b) || a.id - b.id)
    .map(t => t.hashString)
  const shown = new Set(ids)
  let changed = false
  for (const id of selected) if (!shown.has(id)) changed = selected.delete(id)
  const all = torrents.size === 1 ? '1 torrent' : `${number(torrents.size)} torrents`
  find('count').textContent = ids.length < torrents.size ? `${number(ids.length)} of ${all}` : all
  space.style.height = `${ids.length * height}px`
  find('empty').textContent = torrents.size
    ? part ? `No torrent has “${isolate(text.value)}” in its name.` : 'No torrent is of this kind.' : 'No torrents yet. Press “Add…”, or drop a .torrent file here.'
  find('empty').hidden = ids.length > 0
  draw()
  if (changed) onChange()
}

// Makes the rows that can be seen, and drops the others.
function draw () {
  const first = Math.max(0, Math.floor(list.scrollTop / height) - 4)
  const last = Math.min(ids.length, Math.ceil((list.scrollTop + list.clientHeight) / height) + 4)
  const seen = new Set(ids.slice(first, last))
  for (const [id, { row }] of rows) if (!seen.has(id)) { row.remove(); rows.delete(id) }
  for (let at = first; at < last; at++) drawRow(ids[at], at)
  if (rows.has(current)) list.setAttribute('aria-activedescendant', `torrent-${current}`)
  else list.removeAttribute('aria-activedescendant')
}

function makeRow (id) {
  const part = (kind, className) => make(kind, { className })
  const made = { row: part('div', 'torrent'), name: part('div', 'name'), bar: part('progress', ''), words: part('div', 'state') }
  made.name.dir = 'auto'
  made.row.id = `torrent-${id}`
  made.row.dataset.id = id
  made.row.setAttribute('role', 'option')
  made.bar.setAttribute('aria-hidden', 'true')
  made.row.append(made.name, made.bar, made.words)
  space.append(made.row)
  rows.set(id, made)
  return made
}

function drawRow (id, at) {
  const torrent = torrents.get(id)
  const { row, name, bar, words, shown } = rows.get(id) || makeRow(id)
  const isSelected = selected.has(id)
  const now = `${at * height} ${ids.length} ${isSelected} ${id === current}`
  if (shown === torrent && row.dataset.now === now) return
  rows.get(id).shown = torrent
  row.dataset.now = now
  row.style.top = `${at * height}px`
  row.setAttribute('aria-selected', isSelected)
  row.setAttribute('aria-posinset', at + 1)
  row.setAttribute('aria-setsize', ids.length)
  row.classList.toggle('current', id === current)
  name.textContent = torrent.name
  bar.value = torrent.status === 2 ? torrent.recheckProgress : torrent.percentDone
  const rates = (torrent.rateDownload ? ` · ↓\u00a0${size(torrent.rateDownload)}/s` : '') +
    (torrent.rateUpload ? ` · ↑\u00a0${size(torrent.rateUpload)}/s` : '')
  const left = torrent.eta >= 0 && torrent.error !== 3 ? ` · ${time(torrent.eta)} left` : ''
  words.textContent = `${doing(torrent)} · ${Math.floor(torrent.percentDone * 100)} % of ${size(torrent.sizeWhenDone)}` +
    rates + left
  row.title = `${torrent.name}\n${words.textContent}`
}

// Selects one row, adds it or takes it away, or selects all from the anchor to it.
function select (id, { add = false, range = false } = {}) {
  if (range && ids.includes(anchor)) {
    const [from, to] = [ids.indexOf(anchor), ids.indexOf(id)].sort((a, b) => a - b)
    selected.clear()
    ids.slice(from, to + 1).forEach(other => selected.add(other))
  } else {
    const was = selected.has(id)
    if (!add) selected.clear()
    if (add && was) selected.delete(id)
    else selected.add(id)
    anchor = id
  }
  current = id
  draw()
  onChange()
}

// Moves the keyboard to the row at this place. With `only`, the selection stays.
function moveTo (at, range, only) {
  at = Math.max(0, Math.min(ids.length - 1, at))
  if (!ids.length) return
  const top = at * height
  if (top < list.scrollTop) list.scrollTop = top
  if (top + height > list.scrollTop + list.clientHeight) list.scrollTop = top + height - list.clientHeight
  if (!only) return select(ids[at], { range })
  current = ids[at]
  draw()
}

// Begins to listen. `changed` is called when the selection changed, `open` with the id whose details are wanted.
function listen (changed, open) {
  onChange = changed
  onOpen = open
  for (const field of [state, order, text]) field.addEventListener('input', () => { list.scrollTop = 0; updateList() })
  list.addEventListener('scroll', draw)
  const resize = () => {
    height = parseFloat(getComputedStyle(list).getPropertyValue('--row'))
    updateList()
  }
  addEventListener('resize', resize)
  resize()
  const idOf = event => event.target.closest('.torrent')?.dataset.id
  list.addEventListener('click', event => {
    const id = idOf(event)
    if (!id) return
    select(id, { add: event.ctrlKey || event.metaKey || several.checked, range: event.shiftKey })
  })
  list.addEventListener('dblclick', event => { if (idOf(event)) onOpen(idOf(event)) })
  list.addEventListener('keydown', event => {
    const at = ids.indexOf(current)
    const page = Math.max(1, Math.floor(list.clientHeight / height) - 1)
    const to = {
      ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: ids.length - 1
    }[event.key]
    if (to !== undefined) moveTo(to, event.shiftKey, event.ctrlKey)
    else if (event.key === ' ' && at >= 0) select(current, { add: true })
    else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
      ids.forEach(id => selected.add(id))
      draw()
      onChange()
    } else if (event.key === 'Enter' && at >= 0) onOpen(current)
    else return
    event.preventDefault()
  })
}
