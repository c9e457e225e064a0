// A person with a browser, in small: follows redirects on the pages of the server, keeps its cookies, and fills
// in the form of a page. Run as a program, it opens the URL that it is given, allows what is asked, and prints
// where it was sent: `node person.mjs URL`. The password of the local sign-in stands in DOORWARD_PASSWORD.

import { pathToFileURL } from "node:url";

const HOPS_MAX = 12;

const unescaped = (text) =>
  text
    .replaceAll("&quot;", '"').replaceAll("&#34;", '"').replaceAll("&#39;", "'").replaceAll("&#x27;", "'")
    .replaceAll("&lt;", "<").replaceAll("&#60;", "<").replaceAll("&gt;", ">").replaceAll("&#62;", ">")
    .replaceAll("&amp;", "&").replaceAll("&#38;", "&");

// The attributes of a tag, by name.
const attributes = (tag) =>
  Object.fromEntries(
    [...tag.matchAll(/([a-z-]+)(?:="([^"]*)")?/g)].slice(1).map(([, name, value]) => [name, unescaped(value ?? "")]),
  );

// The forms of a page: where each goes, the fields that it has, and the buttons that send it.
export const forms = (html) =>
  [...html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(([form]) => ({
    ...attributes(form.match(/<form\b[^>]*>/)[0]),
    fields: [...form.matchAll(/<input\b[^>]*>/g)].map(([tag]) => attributes(tag)),
    buttons: [...form.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g)].map(([tag, , text]) => ({
      ...attributes(tag.match(/<button\b[^>]*>/)[0]),
      text: text.replace(/<[^>]*>/g, " ").trim(),
    })),
  }));

export class Person {
  constructor(password = process.env.DOORWARD_PASSWORD) {
    this.password = password;
    this.cookies = new Map();
  }

  // Sends one request; a redirect is not followed.
  async request(url, options = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...options.headers, ...(cookie && { cookie }) };
    const response = await fetch(url, { ...options, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split(/=(.*)/s);
      if (/max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  // Follows redirects within `origin`. Ends on a page, or outside with the place it was sent to.
  async open(url, options, origin = new URL(url).origin) {
    let response = await this.request(url, options);
    for (let hop = 0; hop < HOPS_MAX; hop += 1) {
      const location = response.headers.get("location");
      if (!location) return { url, status: response.status, headers: response.headers, html: await response.text() };
      await response.body?.cancel();
      url = new URL(location, url).href;
      if (new URL(url).origin !== origin) return { url, status: response.status, left: true };
      response = await this.request(url);
    }
    throw new Error(`more than ${HOPS_MAX} redirects`);
  }

  // Sends a form of a page by the button that `wanted` describes.
  async submit(page, form, wanted) {
    const button = form.buttons.find((button) => wanted.test(`${button.value ?? ""} ${button.text}`)) ?? form.buttons[0];
    const body = new URLSearchParams();
    for (const { name, type, value } of form.fields) {
      if (name) body.append(name, type === "password" ? this.password : (value ?? ""));
    }
    if (button?.name) body.append(button.name, button.value ?? "");
    const origin = new URL(page.url).origin;
    const action = new URL(form.action || page.url, page.url).href;
    return this.open(action, {
      method: "POST", body,
      headers: { origin, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" },
    }, origin);
  }

  // Opens an authorization request, signs in if asked, and decides. Returns where it was sent to in the end.
  async decide(url, wanted = /allow/i) {
    let page = await this.open(url);
    for (let step = 0; step < 4 && !page.left; step += 1) {
      const found = forms(page.html);
      const signIn = found.find((form) => form.fields.some(({ type }) => type === "password"));
      const consent = found.find((form) => form.action?.includes("consent"));
      const form = signIn ?? consent;
      if (!form) throw new Error(`a page that asks nothing (${page.status}):\n${page.html}`);
      page = await this.submit(page, form, signIn ? /sign in/i : wanted);
    }
    if (!page.left) throw new Error(`not sent back (${page.status}):\n${page.html}`);
    return page.url;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(await new Person().decide(process.argv[2]));
}
