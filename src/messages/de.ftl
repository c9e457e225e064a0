### Texte der Seiten auf Deutsch.

## Several pages
allow = Erlauben
app = App
connected-apps = Verbundene Apps
deny = Ablehnen
detail-administrator = Für Ihre Administration: <span lang="en">{ $detail }</span>.
detail-developer = Für die Entwickler der App: <span lang="en">{ $detail }</span>.
new = neu
other-account = Anderes Konto verwenden
reference = Referenz: <code>{ $reference }</code>
sensitive = Sensibel
sentences = { $first } { $second }
sign-in = Anmelden
sign-out = Abmelden
signed-in-as = Angemeldet als <strong><bdi>{ $account }</bdi></strong>.
this-server = Dieser Server
try-again = Erneut versuchen
unnamed-app = App ohne Namen

## Times
ago-days = { $count ->
    [one] vor einem Tag
   *[other] vor { $count } Tagen
}
ago-hours = { $count ->
    [one] vor einer Stunde
   *[other] vor { $count } Stunden
}
ago-minutes = { $count ->
    [one] vor einer Minute
   *[other] vor { $count } Minuten
}
ago-moment = vor weniger als einer Minute
minutes = { $count ->
    [one] 1 Minute
   *[other] { $count } Minuten
}
seconds = { $count ->
    [one] 1 Sekunde
   *[other] { $count } Sekunden
}

## An app that asks for access
at-website = <span class="at">auf</span> { $host }
on-this-device = <span class="at">auf</span> diesem Gerät
on-your-device = <span class="at">auf</span> Ihrem Gerät
client-answer = Sie empfängt die Antwort unter <code>{ $uri }</code>.
client-any-program = Jedes Programm auf diesem Gerät kann diesen Namen verwenden. Fahren Sie nur fort, wenn Sie es gerade gestartet haben.
client-document = Die Angaben zur App sind auf <strong>{ $host }</strong> veröffentlicht.
client-own-name = Den Namen hat die App selbst gewählt.
client-registered = Registriert { $ago }.
imitation-device = Der Name sieht aus wie <bdi>{ $name }</bdi>, Zugriff erhielte aber die App auf diesem Gerät.
imitation-elsewhere = <strong>Das ist nicht { $home }.</strong>
imitation-unknown = <strong>Das ist möglicherweise nicht { $name }.</strong>
imitation-website = Der Name sieht aus wie <bdi>{ $name }</bdi>, Zugriff erhielte aber { $host }.
link-about = Über diese App
link-legal-notice = Impressum
link-privacy = Datenschutzerklärung
link-support = Hilfe
link-terms = Nutzungsbedingungen

## Consent
consent-again = Zugriff erneut erlauben?
consent-changes-everyone = <strong>Das sind Administrationsrechte.</strong> Die App könnte in Ihrem Namen den Zugriff aller ändern, die { $host } nutzen. Erlauben Sie das nur, wenn Sie diesen Server mit ihr verwalten möchten.
consent-heading = Zugriff auf Ihr Konto erlauben?
consent-kept = Die App behält ihre bisherigen Berechtigungen
consent-no-scope = Die App fragt keine bestimmte Berechtigung an. Sie erfährt, welches Konto Ihnen gehört. Was sie tun darf, entscheiden die Dienste, die { $host } vertrauen.
consent-no-scope-at = Die App fragt keine bestimmte Berechtigung an. Was sie in Ihrem Namen tun darf, entscheidet der Dienst:
consent-own-apps = Die App kann dann sehen, welche Apps Sie verbunden haben, und diese trennen.
consent-reads-everyone = <strong>Das sind Administrationsrechte.</strong> Die App könnte sehen, was alle verbunden haben, die { $host } nutzen. Erlauben Sie das nur, wenn Sie diesen Server mit ihr verwalten möchten.
consent-resources = In Ihrem Namen bei
consent-scopes = Die App kann dann
consent-title = Zugriff erlauben?

## Administration rights
scope-admin = Apps entfernen sowie Tokens und Schlüssel verwalten
scope-apps-read = Sehen, welche Apps andere verbunden haben
scope-apps-write = Apps deaktivieren und Verbindungen trennen
scope-audit-read = Das Audit-Protokoll lesen: wer wann was getan hat
scope-clients-read = Alle Apps sehen und die Zugriffe, die andere ihnen erlaubt haben
scope-clients-write = Apps freigeben, sperren und einschränken sowie Zugriffe widerrufen

## Connected apps
grants-active = Zuletzt aktiv { $ago }.
grants-allowed = Erlaubt { $ago }.
grants-disconnect = Trennen<span class="hidden">: { $app }</span>
grants-disconnect-unnamed = Trennen<span class="hidden">: diese App</span>
grants-none = Hier kann keine App in Ihrem Namen handeln.
grants-older = Ältere Apps anzeigen
grants-rights = Was die App darf
grants-unused = Noch nicht verwendet.

## Start page
home-developers = Für Entwickler
home-grants = Ihre verbundenen Apps ansehen
home-heading = { $name } verbindet Apps mit Ihrem Konto
home-metadata = Die <a href="{ $url }">Servermetadaten</a> (RFC 8414) nennen alle Endpunkte.
home-openapi = Die gesamte Schnittstelle ist als <a href="{ $url }">OpenAPI</a> beschrieben.
home-register = Clients registrieren sich unter <code>{ $url }</code> (RFC 7591).
home-text = Apps registrieren sich hier und bitten um Zugriff. Sie erhalten ihn erst, wenn Sie sich anmelden und es erlauben.
home-title = App verbinden
not-found = Seite nicht gefunden
not-found-next = Prüfen Sie die Adresse oder kehren Sie zu der App zurück, von der Sie gekommen sind.
not-found-start = Zur Startseite
not-found-text = Unter dieser Adresse gibt es keine Seite.

## Sign-in and sign-out
sign-in-apps = Melden Sie sich an, um Ihre verbundenen Apps zu sehen
sign-in-back = Zurück zur Anmeldung
sign-in-continue = Melden Sie sich an, um fortzufahren
sign-in-decide = Noch erhält die App keinen Zugriff. Sie entscheiden nach der Anmeldung.
sign-in-password = Das Passwort, das der Server beim Start ausgegeben hat
sign-in-with = Mit { $provider } anmelden
sign-out-confirm = Abmelden?
sign-out-other = Danach können Sie sich mit einem anderen Konto anmelden.
sign-out-text = Sie sind als <strong><bdi>{ $account }</bdi></strong> angemeldet. Ihre <a href="{ $apps }">verbundenen Apps</a> behalten ihren Zugriff.
signed-out = Abgemeldet
signed-out-next = Sie können diese Seite schließen.
signed-out-text = Sie haben sich in diesem Browser abgemeldet.

## Sign-in that failed
failed-sign-in = Nicht angemeldet
failed-account = Mit diesem Konto können Sie sich hier nicht anmelden.
failed-account-address = Ihr Identitätsanbieter hat eine E-Mail-Adresse mit mehr als einem @-Zeichen übermittelt.
failed-account-nameless = Ihr Identitätsanbieter hat nicht mitgeteilt, wer Sie sind.
failed-account-next = Gehen Sie zurück und wählen Sie ein anderes Konto, oder wenden Sie sich an Ihre Administration.
failed-attempts = Aus Ihrem Netzwerk gab es zu viele Anmeldeversuche. Warten Sie { $wait } und versuchen Sie es dann erneut.
failed-back = Gehen Sie zurück und versuchen Sie es erneut.
failed-begin-again = Beginnen Sie noch einmal in der App, von der Sie gekommen sind.
failed-denied = Der Anbieter durfte nicht mitteilen, wer Sie sind.
failed-foreign = Zu Ihrer Sicherheit nimmt dieser Server Formulare nur von seinen eigenen Seiten an.
failed-form = Das Formular konnte nicht gelesen werden.
failed-form-late = Das Formular ist nicht vollständig angekommen.
failed-other-issuer = Die Antwort kam nicht von dem Anbieter, der gefragt wurde.
failed-over = Diese Anmeldung ist abgelaufen oder wurde in einem anderen Browser begonnen.
failed-password = Das ist nicht das Passwort, das der Server beim Start ausgegeben hat.
failed-password-last = Das war vorerst der letzte Versuch: Warten Sie { $wait } und versuchen Sie es dann erneut.
failed-password-left = { $count ->
    [one] Nach einem weiteren Versuch müssen Sie bis zu { $wait } warten.
   *[other] Nach { $count } weiteren Versuchen müssen Sie bis zu { $wait } warten.
}
failed-provider = Der Identitätsanbieter ist gerade nicht erreichbar.
failed-provider-answer = Die Antwort des Anbieters konnte nicht gelesen werden.
failed-provider-next = Versuchen Sie es in einer Minute erneut. Wenn es weiterhin nicht klappt, wenden Sie sich an Ihre Administration.
failed-refused = Der Anbieter konnte Sie nicht anmelden.
failed-request = Die Anfrage der App ist unterwegs verloren gegangen.
failed-store = Die Anmeldung ist fehlgeschlagen.
failed-store-either = Die An- oder Abmeldung ist gerade nicht möglich.
failed-too-long = Die Anfrage der App ist zu lang, um während einer Anmeldung aufbewahrt zu werden.
failed-too-long-next = Wenden Sie sich an die Entwickler der App.
failed-try-again = Sie können es erneut versuchen.
failed-way = Diese Art der Anmeldung gibt es hier nicht.
keep-seeing = Wenn diese Meldung weiterhin erscheint, wenden Sie sich an Ihre Administration.

## Requests of apps that failed
back-to-device = Zurück zur App auf diesem Gerät
back-to-sign-in = Zurück zur Anmeldung
back-to-website = Zurück zu { $host }
error-blocked = Die Administration hat diese App gesperrt
error-blocked-text = An die App wurde nichts übermittelt, und sie hat keinen Zugriff auf Ihr Konto.
error-developer-next = Kehren Sie zur App zurück und versuchen Sie es erneut. Wenn es wieder passiert, wenden Sie sich an die Entwickler der App.
error-document = Die Angaben zu dieser App konnten nicht geladen werden
error-document-next = Es wurde nichts übermittelt. Wenden Sie sich an die Entwickler der App.
error-document-retry = Versuchen Sie es in einer Minute erneut. Wenn es weiterhin nicht klappt, wenden Sie sich an die Entwickler der App.
error-document-text = Die Angaben zu dieser App konnten nicht von { $host } geladen werden.
error-failed-requests = Zu viele fehlgeschlagene Anfragen
error-failed-requests-text = Aus Ihrem Netzwerk sind zu viele Anfragen fehlgeschlagen. Warten Sie { $wait } und versuchen Sie es dann erneut.
error-foreign-form = Dieses Formular kam von einer anderen Website
error-impossible = Die Anfrage der App kann nicht ausgeführt werden
error-impossible-next = Sie können diese Seite schließen oder zurückgehen und die App informieren.
error-impossible-text = Die App hat um etwas gebeten, das dieser Server nicht beantworten kann. An die App wurde nichts übermittelt.
error-many-decisions = Zu viele Anfragen
error-many-decisions-text = Sie haben zu viele Anfragen erlaubt oder abgelehnt. Warten Sie { $wait } und versuchen Sie es dann erneut.
error-many-waiting = Diese App kann gerade nicht auf eine Freigabe warten
error-many-waiting-next = Bitten Sie Ihre Administration, über die wartenden Apps zu entscheiden. Kehren Sie dann zur App zurück und versuchen Sie es erneut.
error-many-waiting-text = Die Administration muss diese App freigeben, und es warten bereits zu viele Apps darauf.
error-needed-next = Wenn Sie diese App benötigen, wenden Sie sich an Ihre Administration und geben Sie die unten stehende Referenz an.
error-no-role = Sie können dieser App keine Administrationsrechte geben
error-no-role-next = Wenn Sie diese Rechte benötigen, bitten Sie Ihre Administration um eine Rolle und melden Sie sich erneut an. Schließen Sie andernfalls diese Seite, oder gehen Sie zurück und informieren Sie die App.
error-no-role-text = Die App bittet um Administrationsrechte auf diesem Server, und Ihr Konto hat keine davon. An die App wurde nichts übermittelt.
error-old-form = Diese Seite ist abgelaufen
error-old-form-text = Diese Seite ist zu alt, oder Sie haben sich inzwischen neu angemeldet.
error-other-address = Diese Anfrage passt nicht zur App
error-other-address-next = Wenn Sie über einen Link in einer Nachricht hierher gelangt sind, öffnen Sie ihn nicht noch einmal. Wenden Sie sich andernfalls an die Entwickler der App.
error-other-address-text = Die Antwort soll an eine Adresse gehen, die die App nicht registriert hat. Es wurde nichts übermittelt.
error-pending = Diese App wartet auf Freigabe
error-pending-next = Lassen Sie diese Seite geöffnet: Sie prüft alle paar Sekunden erneut, und es geht weiter, sobald die App freigegeben ist.
error-pending-text = Die Administration muss diese App freigeben, bevor Sie sie verwenden können. Nennen Sie ihr den Code { $code }.
error-rejected = Diese App ist hier nicht erlaubt
error-rejected-text = Die Administration dieses Servers lässt diese App nicht zu. An die App wurde nichts übermittelt.
error-start-again = Kehren Sie zur App zurück und beginnen Sie von vorn.
error-unknown-app = Diese App ist hier nicht bekannt
error-unknown-app-next = Kehren Sie zur App zurück und verbinden Sie sie erneut. Wenn sie noch ihre alte Registrierung verwendet, entfernen Sie dort zuerst die Verbindung.
error-unknown-app-text = Die App, von der Sie kommen, ist bei diesem Server nicht registriert, oder ihre Registrierung wurde entfernt.
error-unreadable = Diese Anfrage kann nicht gelesen werden
error-unreadable-incomplete = Die App hat eine unvollständige Anfrage gesendet.
error-unreadable-long = Die Anfrage der App ist zu lang oder enthält Zeichen, die in keiner Webadresse vorkommen dürfen.
error-unreadable-partly = Die Anfrage ist nicht vollständig angekommen.
error-unreadable-text = Die Anfrage der App konnte nicht gelesen werden.
error-wrong = Etwas ist schiefgelaufen
error-wrong-app = Die App konnte nicht ermittelt werden.
error-wrong-decision = Ihre Entscheidung konnte nicht gespeichert werden.
error-wrong-grants = Ihre verbundenen Apps konnten nicht geladen werden.
error-wrong-next = Versuchen Sie es in einer Minute erneut. Wenn es weiterhin nicht klappt, wenden Sie sich an Ihre Administration und geben Sie die unten stehende Referenz an.

## An app that was removed
removed = Diese App wurde entfernt
removed-by-administrator = Die Administration hat ihre Registrierung { $ago } entfernt.
removed-by-itself = Sie hat ihre Registrierung { $ago } selbst entfernt.
removed-named = { $app } ist hier nicht mehr registriert.
removed-next = Um die App wieder zu verbinden, entfernen Sie in der App die Verbindung zu diesem Server und fügen Sie sie neu hinzu. Die App registriert sich dann neu.
removed-over = Sie war für begrenzte Zeit zugelassen, die { $ago } abgelaufen ist.
removed-rejected = Die Administration hat die Freigabe { $ago } abgelehnt.
removed-unnamed = Diese App ist hier nicht mehr registriert.
removed-unused = Sie wurde { $ago } entfernt, weil sie nicht verwendet wurde.
removed-unused-days = { $count ->
    [one] Sie wurde { $ago } entfernt, weil sie { $count } Tag lang nicht verwendet wurde.
   *[other] Sie wurde { $ago } entfernt, weil sie { $count } Tage lang nicht verwendet wurde.
}
