### Textes des pages en français.

## Several pages
allow = Autoriser
app = Application
connected-apps = Applications connectées
deny = Refuser
detail-administrator = Pour votre administrateur : <span lang="en">{ $detail }</span>.
detail-developer = Pour le développeur de l’application : <span lang="en">{ $detail }</span>.
new = nouveau
other-account = Utiliser un autre compte
reference = Référence : <code>{ $reference }</code>
sensitive = Sensible
sentences = { $first } { $second }
sign-in = Se connecter
sign-out = Se déconnecter
signed-in-as = Connecté en tant que <strong><bdi>{ $account }</bdi></strong>.
this-server = Ce serveur
try-again = Réessayer
unnamed-app = Application sans nom

## Times
ago-days = { $count ->
    [one] il y a un jour
   *[other] il y a { $count } jours
}
ago-hours = { $count ->
    [one] il y a une heure
   *[other] il y a { $count } heures
}
ago-minutes = { $count ->
    [one] il y a une minute
   *[other] il y a { $count } minutes
}
ago-moment = il y a moins d’une minute
minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
seconds = { $count ->
    [one] { $count } seconde
   *[other] { $count } secondes
}

## An app that asks for access
at-website = <span class="at">sur</span> { $host }
on-this-device = <span class="at">sur</span> cet appareil
on-your-device = <span class="at">sur</span> votre appareil
client-answer = Elle reçoit la réponse à l’adresse <code>{ $uri }</code>.
client-any-program = N’importe quel programme de cet appareil peut utiliser ce nom. Ne continuez que si vous venez de le lancer.
client-document = Sa description est publiée sur <strong>{ $host }</strong>.
client-own-name = L’application a choisi ce nom elle-même.
client-registered = Enregistrée { $ago }.
imitation-device = Le nom ressemble à <bdi>{ $name }</bdi>, mais l’accès serait donné à l’application sur cet appareil.
imitation-elsewhere = <strong>Ce n’est pas { $home }.</strong>
imitation-unknown = <strong>Ce n’est peut-être pas { $name }.</strong>
imitation-website = Le nom ressemble à <bdi>{ $name }</bdi>, mais l’accès serait donné à { $host }.
link-about = À propos de cette application
link-legal-notice = Mentions légales
link-privacy = Politique de confidentialité
link-support = Aide
link-terms = Conditions d’utilisation

## Consent
consent-again = Autoriser à nouveau l’accès ?
consent-changes-everyone = <strong>Ce sont des droits d’administration.</strong> L’application pourrait modifier, en votre nom, les accès de toutes les personnes qui utilisent { $host }. Ne l’autorisez que si vous voulez administrer ce serveur avec elle.
consent-heading = Autoriser l’accès à votre compte ?
consent-kept = Elle conserve les autorisations qu’elle avait
consent-no-scope = L’application ne demande aucune autorisation particulière. Elle saura quel compte est le vôtre, et les services qui font confiance à { $host } décideront de ce qu’elle peut faire.
consent-no-scope-at = L’application ne demande aucune autorisation particulière. Le service décidera de ce qu’elle peut faire en votre nom :
consent-own-apps = Elle pourra voir les applications que vous avez connectées et les déconnecter.
consent-reads-everyone = <strong>Ce sont des droits d’administration.</strong> L’application pourrait voir ce que toutes les personnes qui utilisent { $host } ont connecté. Ne l’autorisez que si vous voulez administrer ce serveur avec elle.
consent-resources = En votre nom, auprès de
consent-scopes = Elle pourra
consent-title = Autoriser l’accès ?

## Administration rights
scope-admin = Supprimer des applications et gérer les jetons et les clés
scope-apps-read = Voir les applications connectées par les utilisateurs
scope-apps-write = Désactiver des applications et en déconnecter les utilisateurs
scope-audit-read = Lire le journal d’audit : qui a fait quoi, et quand
scope-clients-read = Voir toutes les applications et les accès qui leur ont été accordés
scope-clients-write = Approuver, suspendre et restreindre des applications, et révoquer des accès

## Connected apps
grants-active = Dernière activité { $ago }.
grants-allowed = Autorisée { $ago }.
grants-disconnect = Déconnecter<span class="hidden"> { $app }</span>
grants-disconnect-unnamed = Déconnecter<span class="hidden"> cette application</span>
grants-none = Aucune application ne peut agir en votre nom ici.
grants-older = Afficher les applications plus anciennes
grants-rights = Ce qu’elle peut faire
grants-unused = Pas encore utilisée.

## Start page
home-developers = Pour les développeurs
home-grants = Voir vos applications connectées
home-heading = { $name } connecte des applications à votre compte
home-metadata = Les <a href="{ $url }">métadonnées du serveur</a> (RFC 8414) indiquent tous les points d’accès.
home-openapi = L’interface complète est décrite en <a href="{ $url }">OpenAPI</a>.
home-register = Les clients s’enregistrent à l’adresse <code>{ $url }</code> (RFC 7591).
home-text = Les applications s’enregistrent ici et demandent un accès. Elles ne l’obtiennent qu’une fois que vous vous êtes connecté et que vous l’avez autorisé.
home-title = Connecter une application
not-found = Page introuvable
not-found-next = Vérifiez l’adresse, ou retournez dans l’application d’où vous venez.
not-found-start = Aller à la page d’accueil
not-found-text = Il n’y a pas de page à cette adresse.

## Sign-in and sign-out
sign-in-apps = Connectez-vous pour voir vos applications connectées
sign-in-back = Retour à la connexion
sign-in-continue = Connectez-vous pour continuer
sign-in-decide = L’application n’a encore aucun accès. Vous déciderez après vous être connecté.
sign-in-password = Le mot de passe que le serveur a affiché à son démarrage
sign-in-with = Se connecter avec { $provider }
sign-out-confirm = Se déconnecter ?
sign-out-other = Vous pourrez ensuite vous connecter avec un autre compte.
sign-out-text = Vous êtes connecté en tant que <strong><bdi>{ $account }</bdi></strong>. Vos <a href="{ $apps }">applications connectées</a> conservent leur accès.
signed-out = Déconnecté
signed-out-next = Vous pouvez fermer cette page.
signed-out-text = Vous vous êtes déconnecté dans ce navigateur.

## Sign-in that failed
failed-sign-in = Connexion impossible
failed-account = Vous ne pouvez pas vous connecter avec ce compte.
failed-account-address = Votre fournisseur d’identité a transmis une adresse e-mail contenant plus d’un signe @.
failed-account-nameless = Votre fournisseur d’identité n’a pas indiqué qui vous êtes.
failed-account-next = Revenez en arrière et choisissez un autre compte, ou contactez votre administrateur.
failed-attempts = Il y a eu trop de tentatives de connexion depuis votre réseau. Attendez { $wait }, puis réessayez.
failed-back = Revenez en arrière et réessayez.
failed-begin-again = Recommencez à partir de l’application d’où vous venez.
failed-denied = Le fournisseur n’a pas été autorisé à indiquer qui vous êtes.
failed-foreign = Pour votre sécurité, ce serveur n’accepte que les formulaires de ses propres pages.
failed-form = Le formulaire n’a pas pu être lu.
failed-form-late = Le formulaire n’est pas arrivé en entier.
failed-other-issuer = La réponse ne vient pas du fournisseur auquel la demande a été envoyée.
failed-over = Cette connexion a expiré ou a été commencée dans un autre navigateur.
failed-password = Ce n’est pas le mot de passe que le serveur a affiché à son démarrage.
failed-password-last = C’était le dernier essai pour le moment : attendez { $wait }, puis réessayez.
failed-password-left = { $count ->
    [one] Après un essai de plus, vous devrez attendre jusqu’à { $wait }.
   *[other] Après { $count } essais de plus, vous devrez attendre jusqu’à { $wait }.
}
failed-provider = Le fournisseur d’identité est injoignable pour le moment.
failed-provider-answer = La réponse du fournisseur n’a pas pu être lue.
failed-provider-next = Réessayez dans une minute. Si le problème persiste, contactez votre administrateur.
failed-refused = Le fournisseur n’a pas pu vous connecter.
failed-request = La demande de l’application s’est perdue en route.
failed-store = La connexion a échoué.
failed-store-either = La connexion ou la déconnexion est impossible pour le moment.
failed-too-long = La demande de l’application est trop longue pour être conservée pendant une connexion.
failed-too-long-next = Contactez le développeur de l’application.
failed-try-again = Vous pouvez réessayer.
failed-way = Ce mode de connexion n’existe pas ici.
keep-seeing = Si ce message continue de s’afficher, contactez votre administrateur.

## Requests of apps that failed
back-to-device = Retourner à l’application sur cet appareil
back-to-sign-in = Retourner à la connexion
back-to-website = Retourner à { $host }
error-blocked = Un administrateur a bloqué cette application
error-blocked-text = Rien n’a été envoyé à l’application, et elle n’a pas accès à votre compte.
error-developer-next = Retournez dans l’application et réessayez. Si cela se reproduit, contactez son développeur.
error-document = La description de cette application n’a pas pu être chargée
error-document-next = Rien n’a été envoyé. Contactez le développeur de l’application.
error-document-retry = Réessayez dans une minute. Si le problème persiste, contactez le développeur de l’application.
error-document-text = La description de cette application n’a pas pu être chargée depuis { $host }.
error-failed-requests = Trop de demandes en échec
error-failed-requests-text = Trop de demandes venant de votre réseau ont échoué. Attendez { $wait }, puis réessayez.
error-foreign-form = Ce formulaire vient d’un autre site
error-impossible = La demande de l’application ne peut pas aboutir
error-impossible-next = Vous pouvez fermer cette page, ou revenir en arrière et prévenir l’application.
error-impossible-text = L’application a demandé quelque chose que ce serveur ne peut pas fournir. Rien ne lui a été envoyé.
error-many-decisions = Trop de demandes
error-many-decisions-text = Vous avez autorisé ou refusé trop de demandes. Attendez { $wait }, puis réessayez.
error-many-waiting = Cette application ne peut pas être mise en attente pour le moment
error-many-waiting-next = Demandez à votre administrateur de traiter les applications en attente, puis retournez dans l’application et réessayez.
error-many-waiting-text = Un administrateur doit approuver cette application, et trop d’applications attendent déjà.
error-needed-next = Si vous avez besoin de cette application, contactez votre administrateur et indiquez-lui la référence ci-dessous.
error-no-role = Vous ne pouvez pas donner de droits d’administration à cette application
error-no-role-next = Si vous en avez besoin, demandez un rôle à votre administrateur et reconnectez-vous. Sinon, fermez cette page, ou revenez en arrière et prévenez l’application.
error-no-role-text = L’application demande des droits d’administration sur ce serveur, et votre compte n’en a aucun. Rien ne lui a été envoyé.
error-old-form = Cette page a expiré
error-old-form-text = Cette page est trop ancienne, ou vous vous êtes reconnecté depuis.
error-other-address = Cette demande ne correspond pas à l’application
error-other-address-next = Si un lien dans un message vous a amené ici, ne l’ouvrez plus. Sinon, contactez le développeur de l’application.
error-other-address-text = La réponse devrait être envoyée à une adresse que l’application n’a pas enregistrée. Rien n’a été envoyé.
error-pending = Cette application attend une approbation
error-pending-next = Gardez cette page ouverte : elle vérifie toutes les quelques secondes et continue dès que l’application est approuvée.
error-pending-text = Un administrateur doit approuver cette application avant que vous puissiez l’utiliser. Donnez-lui le code { $code }.
error-rejected = Cette application n’est pas autorisée ici
error-rejected-text = L’administrateur de ce serveur n’autorise pas cette application à se connecter. Rien ne lui a été envoyé.
error-start-again = Retournez dans l’application et recommencez.
error-unknown-app = Cette application est inconnue ici
error-unknown-app-next = Retournez dans l’application et connectez-la à nouveau. Si elle utilise encore son ancien enregistrement, supprimez-y d’abord la connexion.
error-unknown-app-text = L’application d’où vous venez n’est pas enregistrée auprès de ce serveur, ou son enregistrement a été supprimé.
error-unreadable = Cette demande est illisible
error-unreadable-incomplete = L’application a envoyé une demande incomplète.
error-unreadable-long = L’application a envoyé une demande trop longue, ou qui contient des caractères interdits dans une adresse web.
error-unreadable-partly = La demande n’est pas arrivée en entier.
error-unreadable-text = L’application a envoyé une demande qui n’a pas pu être lue.
error-wrong = Un problème est survenu
error-wrong-app = L’application n’a pas pu être identifiée.
error-wrong-decision = Votre décision n’a pas pu être enregistrée.
error-wrong-grants = Vos applications connectées n’ont pas pu être chargées.
error-wrong-next = Réessayez dans une minute. Si le problème persiste, contactez votre administrateur et indiquez-lui la référence ci-dessous.

## An app that was removed
removed = Cette application a été supprimée
removed-by-administrator = Un administrateur a supprimé son enregistrement { $ago }.
removed-by-itself = Elle a supprimé son propre enregistrement { $ago }.
removed-named = { $app } n’est plus enregistrée ici.
removed-next = Pour la reconnecter, supprimez dans l’application la connexion à ce serveur et ajoutez-la de nouveau. L’application s’enregistrera alors à nouveau.
removed-over = Elle était autorisée pour une durée limitée, qui a pris fin { $ago }.
removed-rejected = Un administrateur a refusé de l’approuver { $ago }.
removed-unnamed = Cette application n’est plus enregistrée ici.
removed-unused = Elle a été supprimée { $ago } parce qu’elle n’était pas utilisée.
removed-unused-days = { $count ->
    [one] Elle a été supprimée { $ago } parce qu’elle n’avait pas été utilisée pendant { $count } jour.
   *[other] Elle a été supprimée { $ago } parce qu’elle n’avait pas été utilisée pendant { $count } jours.
}
