// A headless Chromium, driven by playwright-core from npm (found where `npm root -g` says). Each line of standard input
// is an order in JSON, such as {"do":"click","at":"#start"}. The answer is a line: {"value":...} or {"error":"..."}.
// Arguments are names that mean this machine.
const { execSync } = require('child_process')
const say = command => execSync(command, { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim()
const playwright = say('npm root -g') + '/playwright-core'
const axe = say('npm root -g') + '/axe-core'
const program = say('command -v chromium')

// The longest time that an order may take, in milliseconds.
const PATIENCE = 30000

// `at` is a selector of CSS, with the additions of playwright. `text` is a part of what is shown there.
const shown = (page, { at, text }) => page.locator(at).filter({ hasText: text }).first()
const orders = {
  open: (page, { url }) => page.goto(url),
  click: (page, { at, held }) => page.click(at, { modifiers: held ? [held] : [] }),
  menu: (page, { at }) => page.click(at, { button: 'right' }),
  fill: (page, { at, text }) => page.fill(at, text),
  press: (page, { key }) => page.keyboard.press(key),
  choose: (page, { at, value }) => page.selectOption(at, value),
  shape: (page, { width, height, scheme }) =>
    page.setViewportSize({ width, height }).then(() => page.emulateMedia({ colorScheme: scheme })),
  double: (page, { at }) => page.dblclick(at),
  picture: (page, { path }) => page.screenshot({ path }),
  drop: (page, { name, base64 }) => page.evaluate(([name, base64]) => {
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File([Uint8Array.from(atob(base64), byte => byte.charCodeAt(0))], name))
    for (const kind of ['dragover', 'drop']) {
      document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }))
    }
  }, [name, base64]),
  file: (page, { at, path }) => page.setInputFiles(at, path),
  see: (page, order) => shown(page, order).waitFor(),
  gone: (page, order) => shown(page, order).waitFor({ state: 'hidden' })
}

async function main (names) {
  const rules = names.map(name => `MAP ${name} 127.0.0.1,`).join('') + 'MAP * ~NOTFOUND,EXCLUDE 127.0.0.1'
  const { chromium } = require(playwright)
  const browser = await chromium.launch({ executablePath: program, args: ['--host-resolver-rules=' + rules] })
  const page = await browser.newPage()
  page.setDefaultTimeout(PATIENCE)
  // The faults of the scripts of pages, and what they told the user.
  const faults = []
  page.on('pageerror', error => faults.push(String(error)))
  page.on('dialog', dialog => { faults.push(dialog.message()); dialog.dismiss() })
  // The answers since the last question about them, each once, also those that no script may read.
  let answers = new Set()
  page.on('response', answer => answers.add(`${answer.status()} ${answer.url()}`))
  const taken = () => { const all = [...answers]; answers = new Set(); return all }
  // What axe-core finds: the rule, and the first place. It is put into the page by the browser, not by an element.
  const barriers = async () => {
    await page.evaluate(require('fs').readFileSync(axe + '/axe.min.js', 'utf8'))
    const { violations } = await page.evaluate('axe.run()')
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}: ${nodes[0].failureSummary}`)
  }
  const questions = { run: ({ script }) => page.evaluate(script), faults: () => faults, answers: taken, barriers }

  for await (const line of require('readline').createInterface({ input: process.stdin })) {
    const order = JSON.parse(line)
    let answer
    try {
      const question = questions[order.do]
      answer = { value: question ? await question(order) : await orders[order.do](page, order).then(() => true) }
    } catch (error) {
      const shows = await page.innerText('body').catch(() => '')
      answer = { error: `${error.message}\nThe page shows:\n${shows}` }
    }
    console.log(JSON.stringify(answer))
  }
  await browser.close()
}

if (process.argv[2] === 'version') {
  const version = path => require(path + '/package.json').version
  console.log(`playwright-core ${version(playwright)}, axe-core ${version(axe)}`)
} else {
  main(process.argv.slice(2))
}
