import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { projectRoot } from '../e2e/command-line.ts';
import { commandsOf } from '../e2e/docs-commands.ts';

const example = (name: string) => path.join(projectRoot, 'examples', name);

it('has a Slurm script that a shell can read, which starts vulntune by srun', () => {
	const script = example('slurm/train.sh');
	execFileSync('bash', ['-n', script]);
	const text = readFileSync(script, 'utf8');
	const [command] = commandsOf(`\`\`\`sh\n${text}`, script).filter(({ words }) => words[0] === 'vulntune');
	// what it consists of is checked with the commands of the documents
	expect(command!.words).toContain('--resume');
	expect(text).toMatch(/srun --mpi=pmix .*--kill-on-bad-exit=1/);
	expect(text).toMatch(/^#SBATCH --signal=TERM@\d+$/m);
});

const container = z.strictObject({
	name: z.literal('node'),
	image: z.string(),
	workingDir: z.string(),
	command: z.array(z.string()).optional(),
	readinessProbe: z.strictObject({ tcpSocket: z.strictObject({ port: z.int() }) }).optional(),
	volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
});
const podTemplate = z.strictObject({
	spec: z.strictObject({
		containers: z.array(container),
		volumes: z.array(
			z.strictObject({
				name: z.string(),
				persistentVolumeClaim: z.strictObject({ claimName: z.string() }),
			}),
		),
	}),
});
const jobTemplate = z.strictObject({
	metadata: z.strictObject({ labels: z.record(z.string(), z.string()) }).optional(),
	spec: z.strictObject({ template: podTemplate }),
});
/** The fields of Kubeflow Trainer 2 (v1alpha1) and JobSet that the example uses, as their references have them. */
const runtimeSchema = z.strictObject({
	apiVersion: z.literal('trainer.kubeflow.org/v1alpha1'),
	kind: z.literal('TrainingRuntime'),
	metadata: z.strictObject({ name: z.string() }),
	spec: z.strictObject({
		mlPolicy: z.strictObject({
			numNodes: z.int(),
			mpi: z.strictObject({
				numProcPerNode: z.int(),
				mpiImplementation: z.enum(['OpenMPI', 'Intel', 'MPICH']),
				sshAuthMountPath: z.string(),
				runLauncherAsNode: z.boolean(),
			}),
		}),
		template: z.strictObject({
			spec: z.strictObject({
				network: z.strictObject({ publishNotReadyAddresses: z.boolean() }),
				successPolicy: z.strictObject({
					operator: z.enum(['All', 'Any']),
					targetReplicatedJobs: z.array(z.string()),
				}),
				replicatedJobs: z.array(z.strictObject({ name: z.string(), template: jobTemplate })),
			}),
		}),
	}),
});
const jobSchema = z.strictObject({
	apiVersion: z.literal('trainer.kubeflow.org/v1alpha1'),
	kind: z.literal('TrainJob'),
	metadata: z.strictObject({ name: z.string() }),
	spec: z.strictObject({
		runtimeRef: z.strictObject({ apiGroup: z.string(), kind: z.string(), name: z.string() }),
		trainer: z.strictObject({
			numNodes: z.int(),
			command: z.array(z.string()),
			args: z.array(z.string()),
			resourcesPerNode: z.strictObject({ requests: z.record(z.string(), z.string()) }),
		}),
	}),
});

it('has a TrainJob of Kubeflow with its runtime, whose parts fit each other', () => {
	const text = readFileSync(example('kubeflow/trainjob.yaml'), 'utf8');
	const documents = parseAllDocuments(text, { strict: true });
	expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
	expect(documents).toHaveLength(2);
	const runtime = runtimeSchema.parse(documents[0]!.toJS());
	const job = jobSchema.parse(documents[1]!.toJS());
	const { mlPolicy, template } = runtime.spec;
	expect(job.spec.runtimeRef).toMatchObject({ kind: runtime.kind, name: runtime.metadata.name });
	const names = template.spec.replicatedJobs.map(({ name }) => name);
	expect(names).toEqual(['launcher', 'node']);
	expect(names).toEqual(expect.arrayContaining(template.spec.successPolicy.targetReplicatedJobs));
	expect(template.spec.replicatedJobs[0]!.template.metadata?.labels).toEqual({
		'trainer.kubeflow.org/trainjob-ancestor-step': 'trainer',
	});
	for (const { template: pods } of template.spec.replicatedJobs) {
		const { containers, volumes } = pods.spec.template.spec;
		const mounted = containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
		expect(mounted).toEqual(volumes.map(({ name }) => name));
	}
	const { command, args, numNodes } = job.spec.trainer;
	const processes = Number(command[command.indexOf('-n') + 1]);
	expect([command[0], processes]).toEqual(['mpirun', numNodes * mlPolicy.mpi.numProcPerNode]);
	expect(args.slice(0, 3)).toEqual(['npx', 'vulntune', 'train']);
	const accumulation = Number(args[args.indexOf('--training.accumulation') + 1]);
	expect(accumulation % processes).toBe(0);
});
