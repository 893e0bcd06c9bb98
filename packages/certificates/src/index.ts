// OpenSSH certificates and the keys in them: read, checked, made.

export { certificateType, isMadeBy, isValidAt, keyTypeOf, optionText, readCertificate, sameBytes } from './certificate.js'
export type { Certificate } from './certificate.js'
export { authorityFrom, makeCertificate } from './make.js'
export type { Authority, CertificateOrder } from './make.js'
export { string } from './fields.js'
export { isSignedBy, publicKeyLine, readPublicKey, readPublicKeyLine, signaturesOf, signBy } from './public-key.js'
export type { PublicKey } from './public-key.js'
