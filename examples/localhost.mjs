// Finds *.guildhall.localhost on this machine, for systems whose resolver does not (most Linux servers).
import dns from 'node:dns'

const lookup = dns.lookup
dns.lookup = (host, ...rest) => lookup(host.endsWith('.localhost') ? 'localhost' : host, ...rest)
