import { serveRun } from '../run/run-thread.ts';
import { runStudy, type StudyEvent, type StudyOutcome, type StudyRequest } from './run-study.ts';

await serveRun<StudyRequest, StudyEvent, StudyOutcome>((request, signals) => runStudy(request, signals));
