import { randomBytes } from 'node:crypto';

/** Values of many shapes, each random, by a name that says what is odd about it. No two are alike, and none is part of another. */
export function makeSecrets(): Readonly<Record<string, string>> {
  const random = (length = 14): string => randomBytes(length).toString('base64url').slice(0, length);
  return {
    // Characters that base64url does not have, so that no random text has it.
    short: `${random(3)}~${random(3)}!`,
    plain: random(24),
    long: Array.from({ length: 60 }, () => random(50)).join('.'),
    multiLine: `-----BEGIN ${random()}-----\n${random(40)}\n${random(40)}\n-----END ${random()}-----\n`,
    unicode: `pä${random()}ß Ω🎉 ${random()}世界`,
    quotes: `"${random()}" 'and' ${random()}'`,
    dollars: `$HOME $(id) \${${random()}} $$ \`${random()}\``,
    backslashes: `\\${random()}\\n\\\\${random()}\\`,
    spaces: `  ${random()} ${random()}  `,
    likeJson: `{"a": ["${random()}", null], "b": {"c": "${random()}"}}`,
    likeYaml: `- ${random()}: &a [x, *a]\n- !!str ${random()} # no\n`,
    likeShell: `; rm -rf /tmp/${random()} && echo "${random()}" | sh #`,
    likeUrl: `https://user:${random()}@host/?q=${random()}&a=%20+b`,
    // What Go and Helm templates would take for their own.
    likeTemplate: `{{ .Values.${random()} }} {env} <${random()}> @${random()}`,
  };
}
