import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-1';

/** The server's half of one login. */
export interface ScramExchange {
  first(clientFirst: string): string;
  /** What proves the server to the client; null for a wrong password or user. */
  final(clientFinal: string): string | null;
}

/** As MongoDB has it: with SHA-1 the password is hashed with the user's name before. */
export function startScram(mechanism: ScramMechanism, user: string, password: string): ScramExchange {
  const [hash, length] = mechanism === 'SCRAM-SHA-256' ? (['sha256', 32] as const) : (['sha1', 20] as const);
  const secret = mechanism === 'SCRAM-SHA-256' ? password : createHash('md5').update(`${user}:mongo:${password}`).digest('hex');
  const [salt, rounds] = [randomBytes(16), 4_096];
  const salted = pbkdf2Sync(secret, salt, rounds, length, hash);
  const sign = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest();
  let [bare, serverFirst] = ['', ''];

  return {
    first: (clientFirst) => {
      bare = clientFirst.slice('n,,'.length);
      serverFirst = `r=${fieldOf(bare, 'r')}${randomBytes(12).toString('base64')},s=${salt.toString('base64')},i=${rounds}`;
      return serverFirst;
    },
    final: (clientFinal) => {
      const withoutProof = clientFinal.slice(0, clientFinal.lastIndexOf(',p='));
      const said = [bare, serverFirst, withoutProof].join(',');
      const clientKey = sign(salted, 'Client Key');
      const signature = sign(createHash(hash).update(clientKey).digest(), said);
      const expected = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
      const given = Buffer.from(fieldOf(clientFinal, 'p'), 'base64');
      const isRight = given.length === expected.length && timingSafeEqual(given, expected) && fieldOf(bare, 'n') === user;
      return isRight ? `v=${sign(sign(salted, 'Server Key'), said).toString('base64')}` : null;
    },
  };
}

function fieldOf(text: string, name: string): string {
  return (
    text
      .split(',')
      .find((part) => part.startsWith(`${name}=`))
      ?.slice(2) ?? ''
  );
}
