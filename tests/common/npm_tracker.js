// npm's bittorrent-tracker, as a client (`ask URL`) and as a server (`serve PORT`). Found where `npm root -g` says.
const root = require('child_process').execSync('npm root -g', { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim()
const tracker = root + '/bittorrent-tracker'
const [what, where] = process.argv.slice(2)

if (what === 'version') {
  console.log('bittorrent-tracker ' + require(tracker + '/package.json').version)
} else if (what === 'serve') {
  const { Server } = require(tracker)
  const server = new Server({ http: true, udp: true, ws: false })
  server.on('error', error => { console.error(error.message); process.exit(1) })
  server.listen(Number(where))
} else {
  const Client = require(tracker)
  const fail = error => { console.log('error ' + error.message); process.exit(1) }
  const client = new Client({
    infoHash: Buffer.alloc(20, 0xab), peerId: Buffer.from('-XX0001-abcdefghijkl'), announce: [where], port: 7001
  })
  client.on('error', fail)
  client.on('warning', fail)
  client.once('update', told => {
    console.log(`announce ${told.complete} ${told.incomplete}`)
    client.once('scrape', told => {
      console.log(`scrape ${told.complete} ${told.incomplete} ${told.downloaded}`)
      client.once('update', () => process.exit(0))
      client.stop()
    })
    client.scrape()
  })
  client.on('peer', address => console.log('peer ' + address))
  client.start({ left: 0 })
}
