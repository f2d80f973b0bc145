// npm's bittorrent-dht, as a node of the DHT that is entered through the node at NODE (IP:PORT). Found where
// `npm root -g` says.
//   npm_dht.js version
//   npm_dht.js announce PORT NODE HASH     announces this port of its own, and prints "announced"
//   npm_dht.js find PORT NODE HASH         looks the hash up until it prints "peer IP:PORT"
const root = require('child_process').execSync('npm root -g', { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim()
const module_ = root + '/bittorrent-dht'
const [what, port, node, hash] = process.argv.slice(2)
const AGAIN = 2000

if (what === 'version') {
  const version = JSON.parse(require('fs').readFileSync(module_ + '/package.json')).version
  console.log('bittorrent-dht ' + version)
} else {
  import(module_ + '/index.js').then(({ default: DHT }) => {
    const dht = new DHT({ bootstrap: [node] })
    dht.on('error', error => { console.error(error.message); process.exit(1) })
    dht.on('peer', peer => console.log('peer ' + peer.host + ':' + peer.port))
    dht.listen(Number(port))
    const ask = () => {
      if (what === 'find') return dht.lookup(hash, () => setTimeout(ask, AGAIN))
      dht.announce(hash, Number(port), error => {
        if (error) return setTimeout(ask, AGAIN)
        console.log('announced')
      })
    }
    dht.on('ready', ask)
  })
}
