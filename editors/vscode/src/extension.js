"use strict";

const os = require("node:os");
const vscode = require("vscode");
const { LanguageClient, RevealOutputChannelOn } = require("vscode-languageclient/node");
const { isSpec, mayMakeSpec } = require("./detect");

const LANGUAGE = "archspec";

/** @type {LanguageClient | undefined} */
let client;
/** @type {vscode.LogOutputChannel} */
let output;
/** What is to be done with the server, one after another. */
let queue = Promise.resolve();

/** @param {vscode.ExtensionContext} context */
function activate(context) {
  output = vscode.window.createOutputChannel("archspec", { log: true });
  context.subscriptions.push(
    output,
    vscode.commands.registerCommand("archspec.restart", restart),
    vscode.commands.registerCommand("archspec.showOutput", () => output.show()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("archspec.command") && client !== undefined) {
        return restart();
      }
    }),
    ...watch(),
  );
  for (const document of vscode.workspace.textDocuments) {
    look(document);
  }
}

function deactivate() {
  return inTurn(stop);
}

// Which texts are ours.

/** Texts for which somebody chose another language than ours, until they are closed. */
const chosen = new Set();

/** YAML that says `archspec:` gets our language, unless somebody has chosen another for it. */
function watch() {
  /** Texts whose language is being changed from ours: that comes as a text that is closed and opened again at once. */
  const left = new Set();
  return [
    vscode.workspace.onDidCloseTextDocument((document) => {
      const uri = document.uri.toString();
      if (document.languageId === LANGUAGE) {
        left.add(uri);
        setTimeout(() => left.delete(uri), 0);
      } else {
        chosen.delete(uri);
      }
    }),
    vscode.workspace.onDidOpenTextDocument((document) => {
      const uri = document.uri.toString();
      if (left.has(uri) && document.languageId !== LANGUAGE) {
        chosen.add(uri);
      }
      look(document);
    }),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      const near = contentChanges.some(
        ({ range, text }) => mayMakeSpec(text, document.lineAt(Math.min(range.start.line, document.lineCount - 1)).text),
      );
      if (near) {
        look(document);
      }
    }),
  ];
}

/** @param {vscode.TextDocument} document */
function look(document) {
  if (document.languageId === LANGUAGE) {
    if (client === undefined) {
      inTurn(start);
    }
  } else if (document.languageId === "yaml" && !chosen.has(document.uri.toString()) && isSpec(document.getText())) {
    vscode.languages.setTextDocumentLanguage(document, LANGUAGE).then(undefined, () => {
      // It was closed meanwhile.
    });
  }
}

// The server.

/** @param {() => Promise<void>} action */
function inTurn(action) {
  queue = queue.then(action, action);
  return queue;
}

function restart() {
  return inTurn(async () => {
    await stop();
    await start();
  });
}

async function start() {
  if (client !== undefined) {
    return;
  }
  const [command, ...args] = vscode.workspace.getConfiguration("archspec").get("command", ["archspec", "lsp"]);
  // Not in the workspace's folder: there, some systems would run a program of this name before the one that is meant.
  const options = { cwd: os.homedir() };
  const starting = new LanguageClient(
    "archspec",
    "archspec",
    { command: command ?? "", args, options },
    {
      documentSelector: ["file", "untitled"].map((scheme) => ({ language: LANGUAGE, scheme })),
      outputChannel: output,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      // What fails is told once, below.
      initializationFailedHandler: () => false,
    },
  );
  client = starting;
  try {
    await starting.start();
  } catch (error) {
    output.error(`${[command, ...args].join(" ")}: ${error instanceof Error ? error.message : error}`);
    void tellOfFailure([command, ...args].join(" "));
  }
}

async function stop() {
  const stopping = client;
  client = undefined;
  try {
    await stopping?.dispose();
  } catch {
    // It was never there, or is gone already.
  }
}

/** @param {string} command */
async function tellOfFailure(command) {
  const [settings, why] = ["Set the command", "Show why"];
  const chosen = await vscode.window.showErrorMessage(
    `The language server of archspec could not be started: \`${command}\`. ` +
      "It comes with `pip install 'archspec-jax[lsp]'`.",
    settings,
    why,
  );
  if (chosen === settings) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "archspec.command");
  } else if (chosen === why) {
    output.show();
  }
}

module.exports = { activate, deactivate };
