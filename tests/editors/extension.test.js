"use strict";

// The extension with an editor of its own: texts are opened, changed and closed, and what it does with them is looked at.

const test = require("node:test");
const assert = require("node:assert");
const path = require("node:path");
const Module = require("node:module");

const SOURCE = path.join(__dirname, "../../editors/vscode/src/extension.js");

/** An editor in which the extension has begun. `fails` says that the server cannot be started. */
function editor({ fails = false, open = [] } = {}) {
  const hooks = { opened: [], closed: [], changed: [], configured: [] };
  const seen = { clients: [], errors: [], running: 0, commands: {} };
  const register = (list) => (hook) => (list.push(hook), { dispose() {} });
  const documents = [];

  function text(name, words, languageId = "yaml") {
    const document = {
      languageId,
      words,
      uri: { toString: () => `file:///${name}` },
      getText: () => document.words,
      lineAt: (line) => ({ text: document.words.split("\n")[line] ?? "" }),
      get lineCount() {
        return document.words.split("\n").length;
      },
    };
    return document;
  }
  // As VS Code does it: another language is a text that is closed and opened again.
  function choose(document, languageId) {
    hooks.closed.forEach((hook) => hook(document));
    document.languageId = languageId;
    hooks.opened.forEach((hook) => hook(document));
  }
  class LanguageClient {
    constructor(id, name, server, options) {
      seen.clients.push({ server, options });
    }
    async start() {
      if (fails) {
        throw new Error("spawn archspec ENOENT");
      }
      seen.running += 1;
    }
    async dispose() {
      seen.running -= 1;
    }
  }
  const vscode = {
    window: {
      createOutputChannel: () => ({ show() {}, error() {}, dispose() {} }),
      showErrorMessage: async (message) => void seen.errors.push(message),
    },
    commands: { registerCommand: (name, action) => ((seen.commands[name] = action), { dispose() {} }) },
    workspace: {
      textDocuments: documents,
      onDidOpenTextDocument: register(hooks.opened),
      onDidCloseTextDocument: register(hooks.closed),
      onDidChangeTextDocument: register(hooks.changed),
      onDidChangeConfiguration: register(hooks.configured),
      getConfiguration: () => ({ get: (_, otherwise) => otherwise }),
    },
    languages: { setTextDocumentLanguage: async (document, language) => choose(document, language) },
  };
  const load = Module._load;
  Module._load = (name, ...rest) => {
    if (name === "vscode") return vscode;
    if (name.startsWith("vscode-languageclient")) return { LanguageClient, RevealOutputChannelOn: { Never: 4 } };
    return load(name, ...rest);
  };
  delete require.cache[SOURCE];
  const extension = require(SOURCE);
  Module._load = load;
  documents.push(...open.map((item) => text(...item)));
  extension.activate({ subscriptions: [] });
  return {
    seen,
    extension,
    choose,
    open(...item) {
      const document = text(...item);
      hooks.opened.forEach((hook) => hook(document));
      return document;
    },
    close: (document) => hooks.closed.forEach((hook) => hook(document)),
    type(document, words) {
      document.words += words;
      const line = document.lineCount - 1;
      hooks.changed.forEach((hook) => hook({ document, contentChanges: [{ text: words, range: { start: { line } } }] }));
    },
    set: (name) => hooks.configured.forEach((hook) => hook({ affectsConfiguration: (other) => other === name })),
    settled: () => new Promise((resolve) => setTimeout(resolve, 5)),
  };
}

const SPEC = "# A network.\narchspec: 1\n";

test("a spec gets the language and starts the server, once", async () => {
  const { open, seen, settled } = editor();
  const first = open("a.yaml", SPEC);
  open("b.yaml", SPEC);
  await settled();
  assert.equal(first.languageId, "archspec");
  assert.equal(seen.running, 1);
  assert.deepEqual(seen.clients[0].server.args, ["lsp"]);
  assert.equal(seen.clients[0].server.options.cwd, require("node:os").homedir());
  assert.ok(seen.clients[0].options.documentSelector.every(({ language }) => language === "archspec"));
});

test("a spec that is open before the extension begins is one too", async () => {
  const { seen, settled } = editor({ open: [["a.yaml", SPEC]] });
  await settled();
  assert.equal(seen.running, 1);
});

test("other YAML and other languages are left alone, and start nothing", async () => {
  const { open, type, seen, settled } = editor();
  const pod = open("pod.yaml", "kind: Pod\n");
  const words = open("a.md", SPEC, "markdown");
  type(pod, "name: archspec\n");
  await settled();
  assert.deepEqual([pod.languageId, words.languageId], ["yaml", "markdown"]);
  assert.equal(seen.clients.length, 0);
});

test("a text becomes a spec while it is typed", async () => {
  const { open, type, seen, settled } = editor();
  const document = open("a.yaml", "# Mine.\n");
  type(document, "archspec:");
  await settled();
  assert.equal(document.languageId, "archspec");
  assert.equal(seen.running, 1);
});

test("a language that was chosen stays until the text is closed", async () => {
  const { open, close, choose, type, settled } = editor();
  const document = open("a.yaml", SPEC);
  await settled();
  choose(document, "yaml");
  await settled();
  type(document, "# archspec: 1");
  await settled();
  assert.equal(document.languageId, "yaml");
  close(document);
  const again = open("a.yaml", SPEC);
  await settled();
  assert.equal(again.languageId, "archspec");
});

test("a server that cannot be started is told of once, and started again with another command", async () => {
  const { open, set, seen, settled } = editor({ fails: true });
  open("a.yaml", SPEC);
  open("b.yaml", SPEC);
  await settled();
  assert.equal(seen.errors.length, 1);
  assert.match(seen.errors[0], /`archspec lsp`/);
  set("archspec.command");
  await settled();
  assert.equal(seen.clients.length, 2);
});

test("a restart leaves one server, and the end none", async () => {
  const { open, seen, extension, settled } = editor();
  open("a.yaml", SPEC);
  await settled();
  await seen.commands["archspec.restart"]();
  assert.equal(seen.running, 1);
  await extension.deactivate();
  assert.equal(seen.running, 0);
});
