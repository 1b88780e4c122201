import { workerData } from 'node:worker_threads';
import { serve, type WorkerInput } from './serve.ts';

serve(workerData as WorkerInput);
