export { VulntuneError } from '@vulntune/engine';
