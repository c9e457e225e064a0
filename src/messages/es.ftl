### Textos de las páginas en español.

## Several pages
allow = Permitir
app = Aplicación
connected-apps = Aplicaciones conectadas
deny = Denegar
detail-administrator = Para su administrador: <span lang="en">{ $detail }</span>.
detail-developer = Para el desarrollador de la aplicación: <span lang="en">{ $detail }</span>.
new = nuevo
other-account = Usar otra cuenta
reference = Referencia: <code>{ $reference }</code>
sensitive = Confidencial
sentences = { $first } { $second }
sign-in = Iniciar sesión
sign-out = Cerrar sesión
signed-in-as = Ha iniciado sesión como <strong><bdi>{ $account }</bdi></strong>.
this-server = Este servidor
try-again = Reintentar
unnamed-app = Aplicación sin nombre

## Times
ago-days = { $count ->
    [one] hace un día
   *[other] hace { $count } días
}
ago-hours = { $count ->
    [one] hace una hora
   *[other] hace { $count } horas
}
ago-minutes = { $count ->
    [one] hace un minuto
   *[other] hace { $count } minutos
}
ago-moment = hace menos de un minuto
minutes = { $count ->
    [one] 1 minuto
   *[other] { $count } minutos
}
seconds = { $count ->
    [one] 1 segundo
   *[other] { $count } segundos
}

## An app that asks for access
at-website = <span class="at">en</span> { $host }
on-this-device = <span class="at">en</span> este dispositivo
on-your-device = <span class="at">en</span> su dispositivo
client-answer = Recibe la respuesta en <code>{ $uri }</code>.
client-any-program = Cualquier programa de este dispositivo puede usar este nombre. Continúe solo si acaba de abrirlo.
client-document = Sus datos están publicados en <strong>{ $host }</strong>.
client-own-name = La propia aplicación eligió este nombre.
client-registered = Registrada { $ago }.
imitation-device = El nombre se parece a <bdi>{ $name }</bdi>, pero el acceso sería para la aplicación de este dispositivo.
imitation-elsewhere = <strong>Esto no es { $home }.</strong>
imitation-unknown = <strong>Puede que esto no sea { $name }.</strong>
imitation-website = El nombre se parece a <bdi>{ $name }</bdi>, pero el acceso sería para { $host }.
link-about = Acerca de esta aplicación
link-legal-notice = Aviso legal
link-privacy = Política de privacidad
link-support = Ayuda
link-terms = Condiciones de uso

## Consent
consent-again = ¿Permitir el acceso de nuevo?
consent-changes-everyone = <strong>Son derechos de administración.</strong> La aplicación podría cambiar, en su nombre, el acceso de todas las personas que usan { $host }. Permítalo solo si quiere administrar este servidor con ella.
consent-heading = ¿Permitir el acceso a su cuenta?
consent-kept = Conserva los permisos que tenía
consent-no-scope = La aplicación no pide ningún permiso concreto. Sabrá cuál es su cuenta, y los servicios que confían en { $host } deciden qué puede hacer.
consent-no-scope-at = La aplicación no pide ningún permiso concreto, así que el servicio decide qué puede hacer en su nombre:
consent-own-apps = Podrá ver las aplicaciones que usted ha conectado y desconectarlas.
consent-reads-everyone = <strong>Son derechos de administración.</strong> La aplicación podría ver lo que han conectado todas las personas que usan { $host }. Permítalo solo si quiere administrar este servidor con ella.
consent-resources = En su nombre, en
consent-scopes = Podrá
consent-title = ¿Permitir el acceso?

## Administration rights
scope-admin = Eliminar aplicaciones y gestionar tokens y claves
scope-apps-read = Ver las aplicaciones que han conectado los usuarios
scope-apps-write = Desactivar aplicaciones y desconectar de ellas a los usuarios
scope-audit-read = Leer el registro de auditoría: quién hizo qué y cuándo
scope-clients-read = Ver todas las aplicaciones y el acceso que les han dado los usuarios
scope-clients-write = Aprobar, suspender y restringir aplicaciones, y revocar accesos

## Connected apps
grants-active = Última actividad { $ago }.
grants-allowed = Permitida { $ago }.
grants-disconnect = Desconectar<span class="hidden"> { $app }</span>
grants-disconnect-unnamed = Desconectar<span class="hidden"> esta aplicación</span>
grants-none = Ninguna aplicación puede actuar aquí en su nombre.
grants-older = Mostrar aplicaciones más antiguas
grants-rights = Qué puede hacer
grants-unused = Aún no se ha usado.

## Start page
home-developers = Para desarrolladores
home-grants = Ver sus aplicaciones conectadas
home-heading = { $name } conecta aplicaciones con su cuenta
home-metadata = Los <a href="{ $url }">metadatos del servidor</a> (RFC 8414) indican todos los puntos de acceso.
home-openapi = La interfaz completa está descrita en <a href="{ $url }">OpenAPI</a>.
home-register = Los clientes se registran en <code>{ $url }</code> (RFC 7591).
home-text = Las aplicaciones se registran aquí y piden acceso. Solo lo obtienen cuando usted inicia sesión y lo permite.
home-title = Conectar una aplicación
not-found = Página no encontrada
not-found-next = Compruebe la dirección o vuelva a la aplicación que le ha traído aquí.
not-found-start = Ir a la página de inicio
not-found-text = No hay ninguna página en esta dirección.

## Sign-in and sign-out
sign-in-apps = Inicie sesión para ver sus aplicaciones conectadas
sign-in-back = Volver al inicio de sesión
sign-in-continue = Inicie sesión para continuar
sign-in-decide = La aplicación todavía no obtiene acceso. Usted decide después de iniciar sesión.
sign-in-password = La contraseña que el servidor mostró al arrancar
sign-in-with = Iniciar sesión con { $provider }
sign-out-confirm = ¿Cerrar sesión?
sign-out-other = Después podrá iniciar sesión con otra cuenta.
sign-out-text = Ha iniciado sesión como <strong><bdi>{ $account }</bdi></strong>. Sus <a href="{ $apps }">aplicaciones conectadas</a> conservan su acceso.
signed-out = Sesión cerrada
signed-out-next = Puede cerrar esta página.
signed-out-text = Ha cerrado la sesión en este navegador.

## Sign-in that failed
failed-sign-in = No se ha iniciado sesión
failed-account = No puede iniciar sesión con esta cuenta.
failed-account-address = Su proveedor de identidad ha enviado una dirección de correo con más de un signo @.
failed-account-nameless = Su proveedor de identidad no ha indicado quién es usted.
failed-account-next = Vuelva atrás y elija otra cuenta, o póngase en contacto con su administrador.
failed-attempts = Ha habido demasiados intentos de inicio de sesión desde su red. Espere { $wait } y vuelva a intentarlo.
failed-back = Vuelva atrás e inténtelo de nuevo.
failed-begin-again = Empiece de nuevo desde la aplicación que le ha traído aquí.
failed-denied = No se ha permitido que el proveedor indique quién es usted.
failed-foreign = Por su seguridad, este servidor solo acepta formularios de sus propias páginas.
failed-form = No se ha podido leer el formulario.
failed-form-late = El formulario no ha llegado completo.
failed-other-issuer = La respuesta no procede del proveedor al que se consultó.
failed-over = Este inicio de sesión ha caducado o se empezó en otro navegador.
failed-password = Esa no es la contraseña que el servidor mostró al arrancar.
failed-password-last = Ese era el último intento por ahora: espere { $wait } y vuelva a intentarlo.
failed-password-left = { $count ->
    [one] Después de un intento más, tendrá que esperar hasta { $wait }.
   *[other] Después de { $count } intentos más, tendrá que esperar hasta { $wait }.
}
failed-provider = No se puede contactar con el proveedor de identidad en este momento.
failed-provider-answer = No se ha podido leer la respuesta del proveedor.
failed-provider-next = Vuelva a intentarlo dentro de un minuto. Si sigue fallando, póngase en contacto con su administrador.
failed-refused = El proveedor no ha podido iniciar su sesión.
failed-request = La solicitud de la aplicación se ha perdido por el camino.
failed-store = No se ha podido iniciar la sesión.
failed-store-either = No se puede iniciar ni cerrar la sesión en este momento.
failed-too-long = La solicitud de la aplicación es demasiado larga para conservarla durante un inicio de sesión.
failed-too-long-next = Póngase en contacto con el desarrollador de la aplicación.
failed-try-again = Puede volver a intentarlo.
failed-way = Esta forma de iniciar sesión no existe aquí.
keep-seeing = Si sigue viendo este mensaje, póngase en contacto con su administrador.

## Requests of apps that failed
back-to-device = Volver a la aplicación de este dispositivo
back-to-sign-in = Volver al inicio de sesión
back-to-website = Volver a { $host }
error-blocked = Un administrador ha bloqueado esta aplicación
error-blocked-text = No se ha enviado nada a la aplicación y no tiene acceso a su cuenta.
error-developer-next = Vuelva a la aplicación e inténtelo de nuevo. Si vuelve a ocurrir, póngase en contacto con su desarrollador.
error-document = No se han podido cargar los datos de esta aplicación
error-document-next = No se ha enviado nada. Póngase en contacto con el desarrollador de la aplicación.
error-document-retry = Vuelva a intentarlo dentro de un minuto. Si sigue fallando, póngase en contacto con el desarrollador de la aplicación.
error-document-text = No se han podido cargar los datos de esta aplicación desde { $host }.
error-failed-requests = Demasiadas solicitudes fallidas
error-failed-requests-text = Han fallado demasiadas solicitudes desde su red. Espere { $wait } y vuelva a intentarlo.
error-foreign-form = Este formulario procede de otro sitio
error-impossible = No se puede completar la solicitud de la aplicación
error-impossible-next = Puede cerrar esta página, o volver atrás y avisar a la aplicación.
error-impossible-text = La aplicación ha pedido algo que este servidor no puede responder. No se le ha enviado nada.
error-many-decisions = Demasiadas solicitudes
error-many-decisions-text = Ha permitido o denegado demasiadas solicitudes. Espere { $wait } y vuelva a intentarlo.
error-many-waiting = Esta aplicación no puede esperar ahora la aprobación
error-many-waiting-next = Pida a su administrador que decida sobre las aplicaciones en espera; después vuelva a la aplicación e inténtelo de nuevo.
error-many-waiting-text = Un administrador tiene que aprobar esta aplicación, y ya hay demasiadas aplicaciones en espera.
error-needed-next = Si necesita esta aplicación, póngase en contacto con su administrador e indíquele la referencia que aparece abajo.
error-no-role = No puede dar derechos de administración a esta aplicación
error-no-role-next = Si los necesita, pida un rol a su administrador y vuelva a iniciar sesión. Si no, cierre esta página, o vuelva atrás y avise a la aplicación.
error-no-role-text = La aplicación pide derechos de administración en este servidor y su cuenta no tiene ninguno. No se le ha enviado nada.
error-old-form = Esta página ha caducado
error-old-form-text = Esta página es demasiado antigua, o ha vuelto a iniciar sesión desde entonces.
error-other-address = Esta solicitud no corresponde a la aplicación
error-other-address-next = Si ha llegado aquí por un enlace de un mensaje, no lo abra de nuevo. De lo contrario, póngase en contacto con el desarrollador de la aplicación.
error-other-address-text = La respuesta debería ir a una dirección que la aplicación no ha registrado. No se ha enviado nada.
error-pending = Esta aplicación está pendiente de aprobación
error-pending-next = Deje abierta esta página: vuelve a comprobarlo cada pocos segundos y continúa en cuanto se aprueba la aplicación.
error-pending-text = Un administrador tiene que aprobar esta aplicación antes de que pueda usarla. Indíquele el código { $code }.
error-rejected = Esta aplicación no está permitida aquí
error-rejected-text = El administrador de este servidor no permite que esta aplicación se conecte. No se le ha enviado nada.
error-start-again = Vuelva a la aplicación y empiece de nuevo.
error-unknown-app = No conocemos esta aplicación
error-unknown-app-next = Vuelva a la aplicación y conéctela de nuevo. Si todavía usa su registro anterior, elimine antes la conexión en ella.
error-unknown-app-text = La aplicación que le ha traído aquí no está registrada en este servidor, o se ha eliminado su registro.
error-unreadable = No se puede leer esta solicitud
error-unreadable-incomplete = La aplicación ha enviado una solicitud incompleta.
error-unreadable-long = La aplicación ha enviado una solicitud demasiado larga o con caracteres que no puede tener ninguna dirección web.
error-unreadable-partly = La solicitud no ha llegado completa.
error-unreadable-text = La aplicación ha enviado una solicitud que no se ha podido leer.
error-wrong = Algo ha fallado
error-wrong-app = No se ha podido identificar esta aplicación.
error-wrong-decision = No se ha podido guardar su decisión.
error-wrong-grants = No se han podido cargar sus aplicaciones conectadas.
error-wrong-next = Vuelva a intentarlo dentro de un minuto. Si sigue fallando, póngase en contacto con su administrador e indíquele la referencia que aparece abajo.

## An app that was removed
removed = Se ha eliminado esta aplicación
removed-by-administrator = Un administrador eliminó su registro { $ago }.
removed-by-itself = La propia aplicación eliminó su registro { $ago }.
removed-named = { $app } ya no está registrada aquí.
removed-next = Para volver a conectarla, elimine en la aplicación la conexión con este servidor y añádala de nuevo. La aplicación se registrará otra vez.
removed-over = Estaba permitida por un tiempo limitado, que terminó { $ago }.
removed-rejected = Un administrador rechazó su aprobación { $ago }.
removed-unnamed = Esta aplicación ya no está registrada aquí.
removed-unused = Se eliminó { $ago } porque no se usaba.
removed-unused-days = { $count ->
    [one] Se eliminó { $ago } porque no se usó durante { $count } día.
   *[other] Se eliminó { $ago } porque no se usó durante { $count } días.
}
