import { prepareThread } from '../run/prepared-thread.ts';

// The thread of a run has more to load than the command line: it begins at once.
const [command] = process.argv.slice(2);
if (command === 'train') prepareThread(new URL('../fine-tuning/worker.ts', import.meta.url));
if (command === 'pretrain') prepareThread(new URL('../pretraining/worker.ts', import.meta.url));
await import('./main.ts');
