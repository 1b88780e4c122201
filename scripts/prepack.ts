/** Run by npm in a package's folder before it packs. */
import { preparePackage } from './package-build.ts';

preparePackage(process.cwd());
