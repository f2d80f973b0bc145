// The script begins here: it asks for differences every two seconds, and does what buttons and dialogs say.

const PAUSE = 2000 // milliseconds between two questions
const HIDDEN_PAUSE = 20000 // the same while nobody sees the page
// Milliseconds without an answer, after which the page asks for everything. It may have slept, and the daemon remembers
// for only 60 seconds which torrents were removed.
const OLD = 45000
const LIST_FIELDS = ['id', 'hashString', 'name', 'status', 'error', 'errorString', 'percentDone', 'sizeWhenDone', 'totalSize',
  'rateDownload', 'rateUpload', 'eta', 'queuePosition', 'peersConnected', 'peersSendingToUs', 'peersGettingFromUs', 'recheckProgress',
  'metadataPercentComplete', 'addedDate']
let timer = 0
let isFirst = true
let answered = 0 // when the last question was asked that was answered
let renewed = 0
let isAsking = false
let isLost = false // the daemon did not answer

function fail (error) { set(find('problem'), error.message) }
function say (words) { find('said').textContent = words }

// Takes a table of torrents: the first row names the fields. Among differences, a torrent that did not change keeps its
// object. The page knows a torrent by its hash, because the daemon numbers all again when it is started again.
function take ([names, ...table]) {
  for (const values of table) {
    const torrent = Object.fromEntries(names.map((name, at) => [name, values[at]]))
    const before = torrents.get(torrent.hashString)
    if (!before || names.some(name => before[name] !== torrent[name])) torrents.set(torrent.hashString, torrent)
  }
}

// Asks what has changed. After a failure it asks for everything.
async function poll (everything = false) {
  clearTimeout(timer)
  if (!isAsking) {
    isAsking = true
    try {
      const asked = Date.now()
      const all = isFirst || everything || asked - answered > OLD
      const answer = await ask('torrent-get', { ...(all ? {} : { ids: 'recently-active' }), fields: LIST_FIELDS, format: 'table' })
      answered = asked
      const start = performance.now()
      if (all) torrents.clear()
      take(answer.torrents)
      const removed = new Set(answer.removed)
      for (const [hash, { id }] of torrents) if (removed.has(id)) torrents.delete(hash)
      updateList()
      performance.measure(all ? 'all' : 'differences', { start, end: performance.now() })
      isFirst = renewals !== renewed
      renewed = renewals
      const stats = await ask('session-stats')
      find('down').textContent = `↓\u00a0${size(stats.downloadSpeed)}/s`
      find('up').textContent = `↑\u00a0${size(stats.uploadSpeed)}/s`
      await updateHour([stats.downloadSpeed, stats.uploadSpeed])
      const settings = await ask('session-get', { fields: ['alt-speed-enabled'] })
      find('slow').setAttribute('aria-pressed', settings['alt-speed-enabled'])
      await updateDetails()
      if (isLost) find('problem').textContent = ''
      isLost = false
    } catch (error) {
      isFirst = isLost = true
      fail(new Error(`${error.message} (The page asks again.)`))
    }
    isAsking = false
  }
  clearTimeout(timer)
  timer = setTimeout(poll, document.hidden ? HIDDEN_PAUSE : PAUSE)
}

// Asks for a change, says that it was made, and shows it.
async function change (method, args, words) {
  try {
    await ask(method, args)
    find('problem').textContent = ''
    say(words)
    await poll(true)
  } catch (error) { fail(error) }
}

function count () {
  return selected.size === 1 ? isolate(torrents.get([...selected][0])?.name) : `${number(selected.size)} torrents`
}

function selectionChanged () {
  for (const button of document.querySelectorAll('[data-call], #remove, #show')) button.disabled = selected.size === 0
  say(selected.size ? `${count()} selected` : '')
  if (opened && selected.size === 1 && !selected.has(opened)) openDetails([...selected][0], true)
}

async function openDetails (hash, keepFocus = false) {
  const focus = document.activeElement
  try { await showDetails(hash) } catch (error) { fail(error) }
  if (keepFocus) focus.focus()
}

// Shows a dialog. Returns the value of the button that closed it.
function dialog (id) {
  const box = find(id)
  box.returnValue = 'no'
  box.showModal()
  return new Promise(resolve => box.addEventListener('close', () => resolve(box.returnValue), { once: true }))
}

// A link that was refused stays in its field.
async function addDialog () {
  find('file').value = ''
  if (await dialog('add-dialog') !== 'yes') return
  find('problem').textContent = ''
  const link = find('link').value.trim()
  if (!link && !find('file').files.length) return fail(new Error('Nothing was added: type a link, or choose a file.'))
  for (const file of find('file').files) await addFile(file)
  if (link && await add({ filename: link })) find('link').value = ''
}

async function addFile (file) {
  try {
    const url = await new Promise((resolve, reject) => {
      const reader = new FileReader()
      reader.onload = () => resolve(reader.result)
      reader.onerror = () => reject(new Error(`The browser cannot read ${isolate(file.name)}.`))
      reader.readAsDataURL(file)
    })
    await add({ metainfo: url.slice(url.indexOf(',') + 1) }, file.name)
  } catch (error) { fail(error) }
}

// Adds a torrent. If a person wants to choose its files first, the daemon stops it as soon as they are known.
async function add (source, name = source.filename) {
  const choose = find('choose').checked
  try {
    const answer = await ask('torrent-add', { ...source, 'stop-when-described': choose })
    const { 'torrent-added': added, 'torrent-duplicate': old } = answer
    say(added ? `${isolate(added.name)} was added.` : `${isolate(old.name)} is there already.`)
    await poll(true)
    if (added && choose) chooseWhenDescribed(added.hashString)
    return true
  } catch (error) {
    const said = error.message.replace('unrecognized info: ', 'it is no link and no torrent file: ')
    fail(new Error(`${isolate(name.slice(0, 80))} was not added. ${said}`))
  }
}

const chosen = fileList(find('choose-files'), false)

let choosing = Promise.resolve() // ends when the files of the last torrent are chosen: there is one dialog
const pause = () => new Promise(resolve => setTimeout(resolve, PAUSE))
const look = async (hash, fields) => (await ask('torrent-get', { ids: [hash], fields })).torrents[0]

// Waits for the description of a torrent. Then its files are chosen, after those of others.
async function chooseWhenDescribed (hash) {
  for (;;) {
    try {
      const torrent = await look(hash, ['metadataPercentComplete'])
      if (!torrent) return
      if (torrent.metadataPercentComplete === 1) break
    } catch { /* The daemon may answer later. */ }
    await pause()
  }
  choosing = choosing.then(() => chooseFiles(hash)).catch(fail)
}

async function chooseFiles (hash) {
  while (document.querySelector('dialog[open]')) await pause()
  const torrent = await look(hash, ['hashString', 'name', 'files', 'fileStats']).catch(() => {
    say(`${isolate(torrents.get(hash)?.name)} is stopped: choose its files in the details.`)
  })
  if (!torrent) return
  find('choose-name').textContent = torrent.name
  chosen.show(torrent)
  const closed = dialog('choose-dialog')
  find('choose-files').querySelector('li input')?.focus()
  const start = await closed === 'yes'
  const unwanted = chosen.unwanted()
  if (unwanted.length) await ask('torrent-set', { ids: [hash], 'files-unwanted': unwanted })
  if (start) await ask('torrent-start', { ids: [hash] })
  find('list').focus()
  await poll(true)
}

async function removeDialog () {
  const ids = [...selected]
  if (!ids.length) return
  const name = count()
  find('remove-words').textContent = name
  const choice = await dialog('remove-dialog')
  if (choice === 'no') return
  await change('torrent-remove', { ids, 'delete-local-data': choice === 'files' }, `${name}: removed.`)
  find('list').focus()
}

// A limit from a field; `null` is no limit.
function limit (field) {
  const value = field.value.trim()
  if (value && !/^\d{1,9}$/.test(value)) throw new Error(`A limit is a whole number, not “${value}”.`)
  return value ? Number(value) : null
}

async function limitsDialog () {
  try {
    const now = await ask('session-get')
    find('all-down').value = now['speed-limit-down-enabled'] ? now['speed-limit-down'] : ''
    find('all-up').value = now['speed-limit-up-enabled'] ? now['speed-limit-up'] : ''
    find('slow-down').value = now['alt-speed-down']
    find('slow-up').value = now['alt-speed-up']
    for (const kind of ['download', 'seed']) {
      find(`queue-${kind}`).value = now[`${kind}-queue-enabled`] ? now[`${kind}-queue-size`] : ''
    }
    showClock(now)
    if (await dialog('limits-dialog') !== 'yes') return
    const args = changedClock(now)
    for (const way of ['down', 'up']) {
      const all = limit(find(`all-${way}`))
      const slow = limit(find(`slow-${way}`))
      args[`speed-limit-${way}-enabled`] = all !== null
      if (all !== null) args[`speed-limit-${way}`] = all
      if (slow !== null) args[`alt-speed-${way}`] = slow
    }
    for (const kind of ['download', 'seed']) {
      const most = limit(find(`queue-${kind}`))
      args[`${kind}-queue-enabled`] = most !== null
      if (most !== null) args[`${kind}-queue-size`] = most
    }
    await change('session-set', args, 'The limits are set.')
  } catch (error) { fail(error) }
}

async function setOwnLimits (event) {
  event.preventDefault()
  if (!filled) return // the form still shows another torrent
  try {
    const [down, up] = [limit(find('own').down), limit(find('own').up)]
    await change('torrent-set', {
      ids: [filled],
      downloadLimited: down !== null,
      uploadLimited: up !== null,
      ...(down !== null && { downloadLimit: down }),
      ...(up !== null && { uploadLimit: up })
    }, 'The limits of the torrent are set.')
  } catch (error) { fail(error) }
}

listen(selectionChanged, openDetails)
find('add').addEventListener('click', addDialog)
find('remove').addEventListener('click', removeDialog)
find('show').addEventListener('click', () => openDetails([...selected][0]))
find('settings').addEventListener('click', limitsDialog)
find('close').addEventListener('click', closeDetails)
find('own').addEventListener('submit', setOwnLimits)
find('slow').addEventListener('click', () => {
  const slow = find('slow').getAttribute('aria-pressed') !== 'true'
  change('session-set', { 'alt-speed-enabled': slow }, slow ? 'Slow mode is on.' : 'Slow mode is off.')
})
for (const button of document.querySelectorAll('[data-call]')) {
  button.addEventListener('click', () => {
    change(button.dataset.call, { ids: [...selected] }, `${button.textContent}: ${count()}.`)
  })
}
find('list').addEventListener('keydown', event => { if (event.key === 'Delete') removeDialog() })
find('details').addEventListener('keydown', event => { if (event.key === 'Escape') closeDetails() })
document.addEventListener('visibilitychange', () => { if (!document.hidden) poll() })
for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  document.addEventListener(kind, event => {
    event.preventDefault()
    document.body.classList.toggle('drop', kind === 'dragover')
  })
}
// A .torrent file, or a link.
document.addEventListener('drop', async event => {
  find('problem').textContent = ''
  const [files, link] = [[...event.dataTransfer.files], event.dataTransfer.getData('text/plain').trim()]
  for (const file of files) await addFile(file)
  if (/^(magnet|https?):/.test(link)) await add({ filename: link })
})
selectionChanged()
poll()
