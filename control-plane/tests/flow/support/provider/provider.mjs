// Runs a certified OpenID Connect provider for tests, until its standard input closes.
//
// It takes one JSON object as its argument:
//   issuer    how it calls itself
//   alg       the signature of its tokens: RS256, PS256, ES256 or EdDSA
//   accounts  by login: the claims of each; whoever else signs in has a subject and nothing more
//   inToken   whether the claims stand in the token too, and not only at the userinfo endpoint
// and prints the port that it listens on.
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const { issuer, alg, accounts, inToken } = JSON.parse(process.argv[2]);

const makers = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};
const key = { ...makers[alg]().privateKey.export({ format: "jwk" }), use: "sig", alg };

const client = (id) => ({
  client_id: id,
  client_secret: `secret-of-${id}`,
  // A native client's address on this machine may have any port.
  application_type: "native",
  redirect_uris: ["http://127.0.0.1/sign-in/company/callback"],
  id_token_signed_response_alg: alg,
});

const provider = new Provider(issuer, {
  clients: [client("kaliun-fleet"), client("another-client")],
  jwks: { keys: [key] },
  claims: { email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  conformIdTokenClaims: !inToken,
  enabledJWA: { idTokenSigningAlgValues: [alg] },
  pkce: { methods: ["S256"], required: () => true },
  cookies: { keys: ["one-key-for-tests"] },
  ttl: { IdToken: 300, AccessToken: 300, AuthorizationCode: 60, Interaction: 600, Session: 600, Grant: 600 },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ ...accounts[id], sub: id }) }),
});
// The tests stand in front of it.
provider.proxy = true;

const server = provider.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("close", () => process.exit(0));
