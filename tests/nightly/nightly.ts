/** Whether the long versions of tests are asked for: `npm run nightly`. */
export const isNightly = process.env.VULNTUNE_NIGHTLY === '1';
