import { choiceWeaknesses } from './choice-weaknesses.ts';
import { distractors } from './distractors.ts';
import type { Draw } from './draw.ts';
import { drawExit, drawReturn, returnTypes } from './exits.ts';
import { flowWeaknesses } from './flow-weaknesses.ts';
import { functionName, type Purpose, plainWords, variableNames } from './names.ts';
import {
	applies,
	type Core,
	choiceCore,
	choiceSchemeWeights,
	type FlowScheme,
	flowCore,
	flowSchemeWeights,
	type Scheme,
} from './schemes.ts';
import { block, fill, type Statement } from './text.ts';
import type { ChoiceWeakness, FlowWeakness } from './weakness.ts';

/** A function before and after the repair of one weakness. */
export interface FunctionPair {
	readonly cwe: string;
	readonly scheme: Scheme;
	readonly functionName: string;
	readonly vulnerable: string;
	readonly fixed: string;
}

/** All weaknesses that functions are generated for. */
export const weaknessIds: readonly string[] = [...flowWeaknesses, ...choiceWeaknesses].map(({ cwe }) => cwe);

/** Index `number` walks through the weaknesses, so that a set of any size holds them in equal shares. */
export function drawPair(draw: Draw, purpose: Purpose, number: number): FunctionPair {
	const index = number % weaknessIds.length;
	const flow = flowWeaknesses[index];
	return flow === undefined
		? drawChoicePair(draw, purpose, choiceWeaknesses[index - flowWeaknesses.length]!)
		: drawFlowPair(draw, purpose, flow);
}

function drawFlowPair(draw: Draw, purpose: Purpose, weakness: FlowWeakness): FunctionPair {
	const name = functionName(draw, purpose, weakness.verbs, weakness.nouns);
	const [a, b, c, y] = variableNames(draw, 4) as [string, string, string, string];
	const returnType = draw.pick(returnTypes);
	const exit = drawExit(draw, returnType);
	const scheme = drawFlowScheme(draw, weakness);
	const s = draw.pick(plainWords);
	const others = distractors(draw, 4, exit);
	const core = flowCore(draw, scheme, weakness, {
		a,
		b,
		c,
		y,
		s,
		exit,
		guard: draw.pick(weakness.guards),
		cleaner: draw.pick(weakness.cleaners),
		sink: draw.pick(weakness.sinks),
		harmless: draw.pick(weakness.harmless),
		source: fill(draw.pick(weakness.sources), { s }),
		distractor: others[0]!,
	});

	const parameters: string[] = [];
	const declarations: Statement[] = [];
	for (const variable of draw.shuffle([a, b])) {
		if (draw.chance(0.5)) parameters.push(`${weakness.type} ${variable}`);
		else
			declarations.push([
				`${weakness.type} ${variable} = ${fill(draw.pick(weakness.sources), { s: variable })};`,
			]);
	}
	return finish(
		draw,
		{ name, returnType, parameters, declarations, core, others: others.slice(1) },
		weakness.cwe,
		scheme,
	);
}

function drawFlowScheme(draw: Draw, weakness: FlowWeakness): FlowScheme {
	for (;;) {
		const scheme = draw.weighted(flowSchemeWeights);
		if (applies(scheme, weakness)) return scheme;
	}
}

function drawChoicePair(draw: Draw, purpose: Purpose, weakness: ChoiceWeakness): FunctionPair {
	const name = functionName(draw, purpose, weakness.verbs, weakness.nouns);
	const [strong, weak] = variableNames(draw, 2) as [string, string];
	const returnType = draw.pick(returnTypes);
	const scheme = draw.weighted(choiceSchemeWeights);
	const others = distractors(draw, 3, drawExit(draw, returnType));
	const core = choiceCore(draw, scheme, weakness, strong, weak);
	const parameters = draw.shuffle(weakness.parameters);
	return finish(draw, { name, returnType, parameters, declarations: [], core, others }, weakness.cwe, scheme);
}

interface Outline {
	readonly name: string;
	readonly returnType: (typeof returnTypes)[number];
	readonly parameters: readonly string[];
	readonly declarations: readonly Statement[];
	readonly core: Core;
	readonly others: readonly Statement[];
}

/** Mixes the distractors in, the same ones at the same places of both versions, and writes out the functions. */
function finish(draw: Draw, outline: Outline, cwe: string, scheme: Scheme): FunctionPair {
	const { name, returnType, parameters, declarations, core } = outline;
	const places = outline.others.slice(0, draw.below(outline.others.length + 1)).map((statement) => ({
		statement,
		place: draw.below(core.fixed.length + 1),
	}));
	const last = drawReturn(draw, returnType);
	const visibility = draw.pick(['public', 'private', 'protected', 'static', 'public static']);
	const thrown = draw.chance(0.4) ? ' throws IOException' : '';
	const header = `${visibility} ${returnType} ${name}(${parameters.join(', ')})${thrown}`;

	function write(statements: readonly Statement[]): string {
		const body: string[] = declarations.flat();
		for (let index = 0; index <= statements.length; index++) {
			for (const { statement, place } of places) if (place === index) body.push(...statement);
			body.push(...(statements[index] ?? []));
		}
		if (last !== undefined) body.push(last);
		return block(header, body).join('\n');
	}

	return { cwe, scheme, functionName: name, vulnerable: write(core.vulnerable), fixed: write(core.fixed) };
}
