// A new camera: its label, its pairing button, and the way to it, by Bluetooth or by a code that
// its lens reads. Pictures show what to do at the camera, and each step says how far it is.
import { html, nothing } from 'lit';
import './paste.js';
import './picture.js';
import { showCode } from '../../setup.js';
import { icons } from './icons.js';
import { canScan } from './qr.js';
import { to } from './route.js';
import { fields, filledIn, settingsOf } from './setupform.js';
import { sentence, View } from './view.js';
import { words } from './words.js';

const w = words.setup;

class Setup extends View {
  static properties = {
    home: { attribute: false }, label: { state: true }, way: { state: true }, step: { state: true },
    asked: { state: true }, filled: { state: true }, code: { state: true }, networks: { state: true }, device: { state: true },
  };

  #abort;

  constructor() {
    super();
    this.filled = {}; // what was filled in before something failed
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#abort?.abort();
  }

  // begin makes what ends the attempt that is under way, and ends the one before.
  begin() {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.step = { state: 'looking' };
    this.code = this.asked = undefined;
    return this.#abort.signal;
  }

  stop() {
    this.#abort?.abort();
    this.way = this.step = this.code = this.asked = undefined;
  }

  // near is called while a click is handled: the browser shows its list of cameras only then.
  near() {
    const signal = this.begin();
    this.way = 'near';
    return this.finish(this.home.pairNear({
      label: this.label, signal,
      show: (step) => { this.step = step; },
      settings: (talk, problem) => this.choose(talk, problem),
    }), signal);
  }

  // choose asks the person what the camera shall be told, and answers once they have said it.
  async choose(talk, problem) {
    const state = await talk.state();
    this.problem = problem ? sentence(problem) : '';
    this.networks = state.wifi ? await talk.networks().catch(() => []) : [];
    return new Promise((done) => { this.asked = { state, done, owned: talk.owned }; });
  }

  answer(event) {
    event.preventDefault();
    const { done } = this.asked;
    this.asked = undefined;
    this.problem = '';
    const form = new FormData(event.target);
    this.filled = filledIn(form, this.networks);
    done(settingsOf(form, this.networks));
  }

  byCode(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    this.filled = filledIn(form, []);
    const signal = this.begin();
    return this.finish(this.home.pairCode({
      label: this.label, device: form.get('device')?.trim() || undefined, settings: settingsOf(form, []), signal,
      show: async (parts) => {
        this.code = parts;
        await this.updateComplete;
        showCode(this.querySelector('canvas.lens'), parts, signal);
      },
    }), signal);
  }

  async finish(work, signal) {
    this.problem = '';
    try {
      const camera = await work;
      if (!signal.aborted) location.hash = to(camera.device, 'live');
    } catch (error) {
      if (signal.aborted) return;
      this.problem = sentence(error);
      this.step = this.code = this.asked = undefined;
    }
  }

  render() {
    return html`<div class="page narrow">
      <h1>${w.title}</h1>
      ${!this.label ? this.askLabel() : !this.way ? this.askWay() : this.way === 'near' ? this.nearStep() : this.codeStep()}
      <p class="problem" role="alert">${this.problem || nothing}</p>
    </div>`;
  }

  askLabel() {
    return html`${this.home.logins ? nothing : html`<details><summary>${w.ownServer}</summary><p>${w.ownServerHow} <a href="#/key">${words.cameras.key}</a></p></details>`}
      <ol class="guide">
      <li><camd-picture name="label"></camd-picture><div><h2>${w.labelTitle}</h2><p>${w.labelText}</p></div></li></ol>
      <camd-paste .label=${w.label} .hint=${w.labelHint(canScan())} @text=${({ detail }) => { this.label = detail; this.problem = ''; }}></camd-paste>`;
  }

  askWay() {
    return html`<ol class="guide">
      <li><camd-picture name="button"></camd-picture><div><h2>${w.buttonTitle}</h2><p>${w.buttonText}</p></div></li></ol>
      <h2>${w.wayTitle}</h2>
      ${navigator.bluetooth ? html`<button class="choice" type="button" @click=${this.near}>${icons.bluetooth}<span class="text"><strong>${w.near}</strong><span class="faint">${w.nearHelp}</span></span>${icons.next}</button>` : html`<p class="faint">${w.noBluetooth}</p>`}
      <button class="choice" type="button" @click=${() => { this.way = 'code'; }}>${icons.qr}<span class="text"><strong>${w.code}</strong><span class="faint">${w.codeHelp}</span></span>${icons.next}</button>
      <button class="quiet" type="button" @click=${() => { this.label = undefined; }}>${w.otherLabel}</button>`;
  }

  nearStep() {
    const { step } = this;
    return html`
      <ol class="progress-list">${['looking', 'connecting', 'pairing', 'choosing', 'working'].map((state, i, all) => {
        const at = all.indexOf(step?.state === 'problem' ? 'choosing' : step?.state);
        return html`<li data-state=${i < at ? 'done' : i === at ? 'now' : 'later'} aria-current=${i === at ? 'step' : nothing}>${i < at ? icons.check : nothing}<span>${i === at && step.sentence && state === 'working' ? step.sentence : w.states[state]}</span></li>`;
      })}</ol>
      ${this.asked ? html`<form class="form" @submit=${this.answer}>
        ${this.asked.owned ? html`<p class="faint">${w.owned}</p>` : nothing}
        ${fields({ wifi: this.asked.state.wifi, networks: this.networks, broker: !this.asked.state.fixed, needsBroker: !this.asked.state.broker, filled: this.filled })}
        <button class="primary" type="submit">${w.set}</button></form>` : nothing}
      <div class="actions start">
        ${step ? nothing : html`<button class="primary" type="button" @click=${this.near}>${w.again}</button>`}
        <button class="quiet" type="button" @click=${this.stop}>${words.cancel}</button></div>`;
  }

  codeStep() {
    if (this.code) {
      return html`<ol class="guide"><li><camd-picture name="lens"></camd-picture><div><h2>${w.showTitle}</h2><p>${w.showText}</p></div></li></ol>
        <canvas class="lens" width="900" height="900" role="img" aria-label=${w.lensCode}></canvas>
        <p class="busy" role="status"><span class="spinner" aria-hidden="true"></span>${w.waiting}</p>
        <button class="quiet" type="button" @click=${this.stop}>${words.cancel}</button>`;
    }
    return html`<form class="form" @submit=${this.byCode}>
      <p>${w.codeWhat}</p>
      ${this.label.includes(':') ? nothing : html`<div class="field"><label for="device">${w.device}</label><input id="device" name="device" type="text" .value=${this.filled.device ?? ''} required pattern="[a-z2-7]{26}" autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="devicehelp"><p class="faint" id="devicehelp">${w.deviceHelp}</p></div>`}
      ${fields({ wifi: true, networks: [], broker: true, filled: this.filled })}
      <div class="actions start"><button class="primary" type="submit">${w.show}</button><button class="quiet" type="button" @click=${this.stop}>${words.cancel}</button></div>
    </form>`;
  }
}

customElements.define('camd-setup', Setup);
