/** Certificates for tests, made with openssl when they are needed: an authority, and one certificate for each node. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface NodeCertificate {
  key: string
  cert: string
  ca: string
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}

/** An authority of its own in `folder`, and certificates that it signed for the DNS names. `expired`: they ended yesterday. */
export function makeCertificates(folder: string, names: readonly string[], expired = false): Record<string, NodeCertificate> {
  const file = (name: string): string => join(folder, name)
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file('ca.key'), '-out', file('ca.pem'), '-days', '10', '-subj', '/CN=test authority')
  const ca = readFileSync(file('ca.pem'), 'utf8')
  return Object.fromEntries(names.map((name, index) => {
    const [key, request, extensions, cert] = [file(`${index}.key`), file(`${index}.csr`), file(`${index}.ext`), file(`${index}.pem`)]
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', request, '-subj', '/CN=node')
    writeFileSync(extensions, `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    const lifetime = expired ? ['-not_before', '20200101000000Z', '-not_after', '20200102000000Z'] : ['-days', '10']
    if (expired) {
      writeFileSync(file('index.txt'), '')
      writeFileSync(file('ca.cnf'), `[ca]\ndefault_ca=own\n[own]\ndatabase=${file('index.txt')}\nnew_certs_dir=${folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n`)
      openssl('ca', '-batch', '-config', file('ca.cnf'), '-cert', file('ca.pem'), '-keyfile', file('ca.key'), '-in', request, '-out', cert, '-extfile', extensions, '-startdate', '20200101000000Z', '-enddate', '20200102000000Z', '-notext')
    } else {
      openssl('x509', '-req', '-in', request, '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-out', cert, '-extfile', extensions, ...lifetime)
    }
    return [name, { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8'), ca }]
  }))
}
