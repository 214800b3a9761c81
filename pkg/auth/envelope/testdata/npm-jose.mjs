// Made npm-jose.json once, with npm jose 6 on Node 20; no test runs it:
//   npm install jose@6 && node npm-jose.mjs
// It opens what vectors.json holds and seals the same claims with the same keys.
import { readFileSync, writeFileSync } from 'node:fs'
import * as jose from 'jose'

const here = (name) => new URL(name, import.meta.url)
const v = JSON.parse(readFileSync(here('vectors.json')))
const publicOf = ({ d, ...rest }) => rest
const text = new TextEncoder()

async function open(jwe, encKey, sigKey, typ) {
  const outer = await jose.compactDecrypt(jwe, await jose.importJWK(v.keys[encKey], 'ECDH-ES'),
    { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] })
  const inner = await jose.compactVerify(new TextDecoder().decode(outer.plaintext),
    await jose.importJWK(publicOf(v.keys[sigKey]), 'ES256'), { algorithms: ['ES256'] })
  if (outer.protectedHeader.cty !== 'JWT' || inner.protectedHeader.typ !== typ) throw new Error('header')
  return JSON.stringify(JSON.parse(new TextDecoder().decode(inner.payload)))
}

async function sign(claims, sigKey, typ, kid) {
  return new jose.CompactSign(text.encode(JSON.stringify(claims)))
    .setProtectedHeader(kid ? { alg: 'ES256', typ, kid } : { alg: 'ES256', typ })
    .sign(await jose.importJWK(v.keys[sigKey], 'ES256'))
}

async function seal(claims, encKey, sigKey, typ, kid) {
  const jws = await sign(claims, sigKey, typ, kid)
  return new jose.CompactEncrypt(text.encode(jws))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', cty: 'JWT' })
    .encrypt(await jose.importJWK(publicOf(v.keys[encKey]), 'ECDH-ES'))
}

const out = { jose: JSON.parse(readFileSync(here('node_modules/jose/package.json'))).version }
for (const [name, enc, sig, typ, kid] of [
  ['request', 'hhEnc', 'clientSig', 'camd-req+jwt', v.clientId],
  ['answer', 'clientEnc', 'hhSig', 'camd-ans+jwt'],
  ['signal', 'clientEnc', 'hhSig', 'camd-sig+jwt'],
  ['notice', 'clientEnc', 'hhSig', 'camd-note+jwt'],
  ['cameraCard', 'guestEnc', 'clientSig', 'camd-card+jwt', v.clientId],
]) {
  const opened = await open(v[name].jwe, enc, sig, typ)
  if (opened !== JSON.stringify(v[name].claims)) throw new Error(`${name}: ${opened}`)
  out[name] = await seal(v[name].claims, enc, sig, typ, kid)
}
if (await jose.calculateJwkThumbprint(publicOf(v.keys.clientSig)) !== v.clientId) throw new Error('thumbprint')
if (await jose.calculateJwkThumbprint(publicOf(v.keys.guestEnc)) !== v.cameraCard.claims.aud) throw new Error('aud')
out.epoch = await sign(v.epoch.claims, 'identity', 'camd-epoch+jwt')
for (const [jws, key] of [[v.keyCard, 'clientSig'], [v.trio, 'identity'], [v.epoch.jws, 'identity']]) {
  await jose.compactVerify(jws, await jose.importJWK(publicOf(v.keys[key]), 'ES256'))
}
writeFileSync(here('npm-jose.json'), JSON.stringify(out, null, 2) + '\n')
