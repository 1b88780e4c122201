import { createHash } from 'node:crypto';
import { html, type Markup, trusted } from './html.ts';
import { style } from './style.ts';

/**
 * An HTML file that loads nothing and runs no script: its Content-Security-Policy allows its own style sheet and that is all.
 *
 * @param body what stands in `<body>`
 */
export function documentPage(title: string, body: Markup): string {
	const styleHash = createHash('sha256').update(style).digest('base64');
	const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'`;
	return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
${body}
</body>
</html>
`.markup;
}
