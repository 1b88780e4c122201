import fc from 'fast-check';

// A suite that draws other examples every time can fail for a change that has nothing to do with them.
fc.configureGlobal({ seed: 20_240_117 });
