### Texts of the pages that people see, in English. Every language has each message, with the same arguments and tags.

## Several pages
allow = Allow
app = App
connected-apps = Connected apps
deny = Deny
detail-administrator = For your administrator: <span lang="en">{ $detail }</span>.
detail-developer = For the app's developer: <span lang="en">{ $detail }</span>.
new = new
other-account = Use another account
reference = Reference: <code>{ $reference }</code>
sensitive = Sensitive
sentences = { $first } { $second }
sign-in = Sign in
sign-out = Sign out
signed-in-as = Signed in as <strong><bdi>{ $account }</bdi></strong>.
this-server = This server
try-again = Try again
unnamed-app = Unnamed app

## Times
ago-days = { $count ->
    [one] one day ago
   *[other] { $count } days ago
}
ago-hours = { $count ->
    [one] one hour ago
   *[other] { $count } hours ago
}
ago-minutes = { $count ->
    [one] one minute ago
   *[other] { $count } minutes ago
}
ago-moment = less than a minute ago
minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
}
seconds = { $count ->
    [one] 1 second
   *[other] { $count } seconds
}

## An app that asks for access
at-website = <span class="at">at</span> { $host }
on-this-device = <span class="at">on</span> this device
on-your-device = <span class="at">on</span> your device
client-answer = It receives the answer at <code>{ $uri }</code>.
client-any-program = Any program on this device can use this name. Continue only if you just started it.
client-document = Its details are published at <strong>{ $host }</strong>.
client-own-name = The app chose this name itself.
client-registered = Registered { $ago }.
imitation-device = The name looks like <bdi>{ $name }</bdi>, but access would go to the app on this device.
imitation-elsewhere = <strong>This is not at { $home }.</strong>
imitation-unknown = <strong>This may not be { $name }.</strong>
imitation-website = The name looks like <bdi>{ $name }</bdi>, but access would go to { $host }.
link-about = About this app
link-legal-notice = Legal notice
link-privacy = Privacy policy
link-support = Get help
link-terms = Terms

## Consent
consent-again = Allow access again?
consent-changes-everyone = <strong>These are administration rights.</strong> The app could change the access of everyone who uses { $host }, in your name. Allow it only if you want to administer this server with it.
consent-heading = Allow access to your account?
consent-kept = It keeps the permissions it had
consent-no-scope = It asks for no specific permission. It learns which account is yours, and the services that trust { $host } decide what it can do.
consent-no-scope-at = It asks for no specific permission, so the service decides what it can do as you:
consent-own-apps = It will be able to see the apps that you have connected, and disconnect them.
consent-reads-everyone = <strong>These are administration rights.</strong> The app could see what everyone who uses { $host } has connected. Allow it only if you want to administer this server with it.
consent-resources = As you, at
consent-scopes = It will be able to
consent-title = Allow access?

## Administration rights
scope-admin = Remove apps, and manage tokens and keys
scope-apps-read = See the apps that people have connected
scope-apps-write = Disable apps, and disconnect people from them
scope-audit-read = Read the audit log: who did what, and when
scope-clients-read = See every app, and the access that people gave it
scope-clients-write = Approve, suspend, and restrict apps, and revoke access

## Connected apps
grants-active = Last active { $ago }.
grants-allowed = Allowed { $ago }.
grants-disconnect = Disconnect<span class="hidden"> { $app }</span>
grants-disconnect-unnamed = Disconnect<span class="hidden"> this app</span>
grants-none = No app can act as you here.
grants-older = Show older apps
grants-rights = What it can do
grants-unused = Not used yet.

## Start page
home-developers = For developers
home-grants = See your connected apps
home-heading = { $name } connects apps to your account
home-metadata = <a href="{ $url }">Server metadata</a> (RFC 8414) names every endpoint.
home-openapi = The whole interface is described by <a href="{ $url }">OpenAPI</a>.
home-register = Clients register at <code>{ $url }</code> (RFC 7591).
home-text = Apps register here and ask for access. They get it only after you sign in and allow it.
home-title = Connect an app
not-found = Page not found
not-found-next = Check the address, or go back to the app that sent you here.
not-found-start = Go to the start page
not-found-text = There is no page at this address.

## Sign-in and sign-out
sign-in-apps = Sign in to see your connected apps
sign-in-back = Back to sign-in
sign-in-continue = Sign in to continue
sign-in-decide = The app gets no access yet. After you sign in, you decide.
sign-in-password = The password that the server printed at its start
sign-in-with = Sign in with { $provider }
sign-out-confirm = Sign out?
sign-out-other = You can then sign in with another account.
sign-out-text = You are signed in as <strong><bdi>{ $account }</bdi></strong>. Your <a href="{ $apps }">connected apps</a> keep their access.
signed-out = Signed out
signed-out-next = You can close this page.
signed-out-text = You have signed out in this browser.

## Sign-in that failed
failed-sign-in = Not signed in
failed-account = You can't sign in with this account.
failed-account-address = Your identity provider sent an email address with more than one @ sign.
failed-account-nameless = Your identity provider didn't say who you are.
failed-account-next = Go back and choose another account, or contact your administrator.
failed-attempts = There were too many attempts to sign in from your network. Wait { $wait }, then try again.
failed-back = Go back and try again.
failed-begin-again = Start again from the app that sent you here.
failed-denied = The provider wasn't allowed to say who you are.
failed-foreign = For your safety, this server accepts forms only from its own pages.
failed-form = We couldn't read the form.
failed-form-late = The form didn't arrive completely.
failed-other-issuer = The answer didn't come from the provider that was asked.
failed-over = This sign-in is over, or was begun in another browser.
failed-password = That isn't the password the server printed when it started.
failed-password-last = That was the last try for now: wait { $wait }, then try again.
failed-password-left = { $count ->
    [one] After one more try, you'll have to wait up to { $wait }.
   *[other] After { $count } more tries, you'll have to wait up to { $wait }.
}
failed-provider = We can't reach the identity provider right now.
failed-provider-answer = We couldn't read the answer of the provider.
failed-provider-next = Try again in a minute. If it keeps failing, contact your administrator.
failed-refused = The provider couldn't sign you in.
failed-request = The app's request got lost on the way.
failed-store = We couldn't sign you in.
failed-store-either = We couldn't sign you in or out right now.
failed-too-long = The app's request is too long to wait for a sign-in.
failed-too-long-next = Contact the developer of the app.
failed-try-again = You can try again.
failed-way = This way to sign in doesn't exist here.
keep-seeing = If you keep seeing this, contact your administrator.

## Requests of apps that failed
back-to-device = Go back to the app on this device
back-to-sign-in = Go back to sign-in
back-to-website = Go back to { $host }
error-blocked = An administrator blocked this app
error-blocked-text = Nothing was sent to the app, and it has no access to your account.
error-developer-next = Go back to the app and try again. If it happens again, contact its developer.
error-document = We couldn't load this app's details
error-document-next = Nothing was sent anywhere. Contact the developer of the app.
error-document-retry = Try again in a minute. If it keeps failing, contact the developer of the app.
error-document-text = We couldn't load this app's details from { $host }.
error-failed-requests = Too many failed requests
error-failed-requests-text = Too many requests from your network have failed. Wait { $wait }, then try again.
error-foreign-form = This form came from another site
error-impossible = The app's request can't be completed
error-impossible-next = You can close this page, or go back and let the app know.
error-impossible-text = The app asked for something this server can't answer. Nothing was sent to it.
error-many-decisions = Too many requests
error-many-decisions-text = You allowed or denied too many requests. Wait { $wait }, then try again.
error-many-waiting = This app can't wait for approval now
error-many-waiting-next = Ask your administrator to decide about the apps that wait, then go back to the app and try again.
error-many-waiting-text = An administrator has to approve this app, and too many apps wait for that already.
error-needed-next = If you need this app, contact your administrator and name the reference below.
error-no-role = You can't give this app administration rights
error-no-role-next = If you need them, ask your administrator for a role and sign in again. Otherwise close this page, or go back and let the app know.
error-no-role-text = The app asks for administration rights on this server, and your account has none of them. Nothing was sent to it.
error-old-form = This page has expired
error-old-form-text = This page is too old, or you have signed in again since.
error-other-address = This request doesn't match the app
error-other-address-next = If a link in a message brought you here, don't open it again. Otherwise contact the developer of the app.
error-other-address-text = The app wants the answer to go to an address it hasn't registered. Nothing was sent.
error-pending = This app is waiting for approval
error-pending-next = Keep this page open: it checks again every few seconds, and goes on once the app is approved.
error-pending-text = An administrator has to approve this app before you can use it. Tell them the code { $code }.
error-rejected = This app isn't allowed here
error-rejected-text = The administrator of this server doesn't let this app connect. Nothing was sent to it.
error-start-again = Go back to the app and start again.
error-unknown-app = We don't know this app
error-unknown-app-next = Go back to the app and connect again. If it still uses its old registration, remove the connection there first.
error-unknown-app-text = The app that sent you here isn't registered with this server, or its registration was removed.
error-unreadable = This request can't be read
error-unreadable-incomplete = The app sent an incomplete request.
error-unreadable-long = The app sent a request that is too long, or has characters no web address may have.
error-unreadable-partly = The request didn't arrive completely.
error-unreadable-text = The app sent a request we couldn't read.
error-wrong = Something went wrong
error-wrong-app = We couldn't identify this app.
error-wrong-decision = We couldn't save your decision.
error-wrong-grants = We couldn't load your connected apps.
error-wrong-next = Try again in a minute. If it keeps failing, contact your administrator and name the reference below.

## An app that was removed
removed = This app was removed
removed-by-administrator = An administrator removed its registration { $ago }.
removed-by-itself = It removed its own registration { $ago }.
removed-named = { $app } isn't registered here any more.
removed-next = To reconnect, remove this server's connection in the app and add it again. The app then registers anew.
removed-over = It was allowed for a limited time, which ended { $ago }.
removed-rejected = An administrator rejected its request to be approved { $ago }.
removed-unnamed = This app isn't registered here any more.
removed-unused = It was removed { $ago } because it was not used.
removed-unused-days = { $count ->
    [one] It was removed { $ago } because it was not used for { $count } day.
   *[other] It was removed { $ago } because it was not used for { $count } days.
}
