/** Run by npm in a package's folder after it packed; by hand after a packing that was cut short. */
import { restorePackage } from './package-build.ts';

restorePackage(process.cwd());
