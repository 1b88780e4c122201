import { type ColourName, colour } from '../../figures/palette.ts';
import { wrapText } from '../../figures/text-size.ts';
import { drawTitled, type Figure, type FigureText, inline } from '../../report/figure-parts.ts';

/** A figure of the page that is a file of its own too. */
export interface StudyFigure extends Figure {
	/** Of its files: `report.NAME.svg`. */
	readonly name: string;
	/** The whole drawing, colours as variables. */
	readonly svg: string;
}

export const series = [1, 2, 3, 4, 5, 6].map((number) => colour(`series-${number}` as ColourName));

export async function studyFigure(
	name: string,
	specification: object,
	text: FigureText,
	frame?: Parameters<typeof drawTitled>[2],
): Promise<StudyFigure> {
	const svg = await drawTitled(specification, text, frame);
	return { name, title: text.title, caption: text.caption, drawing: inline(svg), svg };
}

/** A label in lines of at most so many pixels, as {@link inLines} draws it: none is cut. */
export function labelLines(label: string, fontSize: number, limit: number): string {
	return wrapText(label, fontSize, limit).join('\n');
}

/** The expression of an axis or a legend that breaks its labels where {@link labelLines} does. */
export const inLines = "split(datum.label, '\\n')";
