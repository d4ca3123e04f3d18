"use strict";

// Makes dist/extension.js of src/ and of the packages that it uses, and dist/third-party.txt of these packages' licences.

const fs = require("node:fs");
const path = require("node:path");
const esbuild = require("esbuild");

const built = esbuild.buildSync({
  entryPoints: [path.join(__dirname, "src/extension.js")],
  outfile: path.join(__dirname, "dist/extension.js"),
  absWorkingDir: __dirname,
  bundle: true,
  platform: "node",
  target: "node20",
  external: ["vscode"],
  minify: true,
  metafile: true,
  logLevel: "warning",
});

const packages = new Set(
  Object.keys(built.metafile.inputs).flatMap((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
);
const licences = [...packages].sort().map((folder) => {
  const home = path.join(__dirname, folder);
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(home, "package.json"), "utf8"));
  const file = fs.readdirSync(home).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) {
    throw new Error(`${name} ${version} (${license}) comes without the text of its licence`);
  }
  return `${name} ${version} (${license})\n\n${fs.readFileSync(path.join(home, file), "utf8").trim()}\n`;
});
fs.writeFileSync(path.join(__dirname, "dist/third-party.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));
