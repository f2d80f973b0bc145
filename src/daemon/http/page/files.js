// The files of a torrent: a box for each, and its priority. There may be 300,000 of them, so only the first of those
// that match are drawn.

const MOST = 200 // files that are drawn
const FEW = 10 // a list of this length needs no search

// A list of files below `place`. If `live`, a change counts at once, and files have priorities.
function fileList (place, live) {
  const search = make('input', { type: 'search', placeholder: 'Part of a name', ariaLabel: 'Search files', autocomplete: 'off' })
  const all = make('button', { type: 'button', textContent: 'All' })
  const none = make('button', { type: 'button', textContent: 'None' })
  const bar = make('div', { className: 'bar' }, search, all, none)
  const more = make('p', { className: 'quiet' })
  more.setAttribute('role', 'status')
  const list = make('ul', {})
  place.append(bar, more, list)
  let hash, files, stats
  let found = [] // the numbers of the files that match
  let rows = [] // what is drawn of the first of them

  const change = args => live && ask('torrent-set', { ids: [hash], ...args }).catch(fail)

  function makeRow (at) {
    const name = make('span', { textContent: files[at].name, dir: 'auto' })
    const box = make('input', { type: 'checkbox' })
    const figures = make('span', { className: 'quiet' })
    const item = make('li', { className: 'file' }, make('label', {}, box, make('span', {}, name, figures)))
    box.addEventListener('change', () => {
      stats[at].wanted = box.checked
      change({ [box.checked ? 'files-wanted' : 'files-unwanted']: [at] })
      draw()
    })
    let priority
    if (live) {
      priority = make('select', { ariaLabel: `Priority of ${files[at].name}` }, ...[['1', 'high'], ['0', 'normal'], ['-1', 'low']]
        .map(([value, textContent]) => make('option', { value, textContent })))
      priority.addEventListener('change', () => {
        stats[at].priority = Number(priority.value)
        change({ [`priority-${priority.selectedOptions[0].textContent}`]: [at] })
      })
      item.append(priority)
    }
    return { item, box, priority, figures, at }
  }

  function draw () {
    for (const { box, priority, figures, at } of rows) {
      const { wanted, bytesCompleted } = stats[at]
      box.checked = wanted
      if (priority && document.activeElement !== priority) priority.value = stats[at].priority
      const length = files[at].length
      set(figures, live ? `${length ? Math.floor(bytesCompleted / length * 100) : 100} % of ${size(length)}` : size(length))
    }
    const wanted = stats.reduce((sum, { wanted }, at) => sum + (wanted ? files[at].length : 0), 0)
    const some = found.length > MOST ? `The first ${MOST} of ${number(found.length)} files are shown: search for others. ` : ''
    if (!files.length) set(more, 'The files are not known yet.')
    else set(more, found.length ? `${some}${size(wanted)} are chosen.` : 'No file has such a name.')
  }

  function filter () {
    const part = search.value.toLowerCase()
    found = []
    files.forEach(({ name }, at) => { if (name.toLowerCase().includes(part)) found.push(at) })
    rows = found.slice(0, MOST).map(makeRow)
    list.replaceChildren(...rows.map(({ item }) => item))
    list.scrollTop = 0
    draw()
  }

  // All files that match are wanted, or none of them.
  function want (wanted) {
    if (!found.length) return
    for (const at of found) stats[at].wanted = wanted
    // An empty list means all.
    change({ [wanted ? 'files-wanted' : 'files-unwanted']: found.length < files.length ? found : [] })
    draw()
  }

  search.addEventListener('input', filter)
  all.addEventListener('click', () => want(true))
  none.addEventListener('click', () => want(false))
  return {
    // Whether these are the files of a torrent. While it has no description, it has none.
    shows: other => other === hash && files.length > 0,
    // Shows the files of a torrent, or what has changed: then `torrent.files` may be left out.
    show (torrent) {
      if (!torrent.files && torrent.hashString !== hash) return // the answer was overtaken
      stats = torrent.fileStats
      if (!torrent.files) return draw()
      hash = torrent.hashString
      const folder = `${torrent.name}/`
      files = torrent.files.map(({ name, length }) => ({ name: name.startsWith(folder) ? name.slice(folder.length) : name, length }))
      search.value = ''
      bar.hidden = files.length < 2
      search.hidden = files.length <= FEW
      filter()
    },
    // The numbers of the files that are not wanted.
    unwanted: () => stats.flatMap(({ wanted }, at) => wanted ? [] : [at])
  }
}
