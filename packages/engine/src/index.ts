export { type ErrorDetails, type ErrorKind, inputError, VulntuneError } from './errors.ts';
