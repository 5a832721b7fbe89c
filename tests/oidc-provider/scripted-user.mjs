// A user without a browser: follows the provider's pages with fetch, a cookie jar and no rendering.

const MAX_STEPS = 20;

/**
 * Signs `user` in at an authorization URL and stops at the redirect to the client.
 * @returns {Promise<{ location: string, form?: Record<string, string> }>} `form` is set for response_mode=form_post.
 */
export async function completeAuthorization(url, { user, deny = false }) {
  const last = await new Visit(url, { user, deny }).run();
  if (!last.location) throw new Error(`the provider showed a page instead of redirecting: ${titleOf(last.html)}`);
  return last;
}

/** Enters the user code of a device flow and confirms, or refuses, it. */
export async function completeDevice(url, { user, deny = false }) {
  const last = await new Visit(url, { user, deny }).run();
  if (last.location) throw new Error(`the device page left the provider for ${last.location}`);
  return { page: titleOf(last.html) };
}

class Visit {
  #cookies = new Map();

  constructor(url, { user, deny }) {
    Object.assign(this, { url: new URL(url), user, deny });
  }

  async run() {
    let step = { url: this.url };
    for (let count = 0; count < MAX_STEPS; count += 1) {
      if (step.url.origin !== this.url.origin) return { location: step.url.href, form: step.form };
      step = await this.#take(step);
      if (step.html !== undefined) return step;
    }
    throw new Error(`no end after ${MAX_STEPS} pages at ${step.url.href}`);
  }

  /** Loads one page; the next step is its redirect, its form, or none. */
  async #take({ url, form }) {
    const response = await fetch(url, {
      redirect: 'manual',
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    this.#keepCookies(response);
    const location = response.headers.get('location');
    if (location) return { url: new URL(location, url) };
    const html = await response.text();
    return this.#nextOf(html, url) ?? { html };
  }

  #nextOf(html, url) {
    const action = html.match(/<form[^>]*action="([^"]*)"/)?.[1];
    if (action === undefined) return undefined;
    const target = new URL(decodeEntities(action), url);
    const form = hiddenFieldsOf(html);
    if (form.prompt && this.deny) return { url: new URL(decodeEntities(html.match(/<a href="([^"]*)">\[ Cancel \]/)[1]), url) };
    if (form.prompt === 'login') Object.assign(form, { login: this.user, password: 'any' });
    if (form.confirm && this.deny) { delete form.confirm; form.abort = 'yes'; }
    const rejected = !form.user_code && html.includes('name="user_code"');
    return rejected ? undefined : { url: target, form };
  }

  #keepCookies(response) {
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';', 1)[0].split(/=(.*)/s);
      if (/expires=Thu, 01 Jan 1970/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}

function hiddenFieldsOf(html) {
  return Object.fromEntries([...html.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]) => [
    input.match(/name="([^"]*)"/)[1], decodeEntities(input.match(/value="([^"]*)"/)[1])]));
}

function decodeEntities(text) {
  const entities = { '&amp;': '&', '&quot;': '"', '&#39;': "'", '&lt;': '<', '&gt;': '>' };
  return text.replace(/&(?:amp|quot|#39|lt|gt);/g, (entity) => entities[entity]);
}

function titleOf(html) {
  return html.match(/<h1>([^<]*)/)?.[1] ?? html.match(/<title>([^<]*)/)?.[1] ?? '';
}
