### ページに表示する文(日本語)。

## Several pages
allow = 許可する
app = アプリ
connected-apps = 連携済みのアプリ
deny = 拒否する
detail-administrator = 管理者向けの情報:<span lang="en">{ $detail }</span>
detail-developer = アプリの開発者向けの情報:<span lang="en">{ $detail }</span>
new = 新規
other-account = 別のアカウントを使う
reference = 参照番号:<code>{ $reference }</code>
sensitive = 注意が必要な権限
sentences = { $first }{ $second }
sign-in = ログイン
sign-out = ログアウト
signed-in-as = <strong><bdi>{ $account }</bdi></strong> としてログインしています。
this-server = このサーバー
try-again = 再試行
unnamed-app = 名前のないアプリ

## Times
ago-days = { $count } 日前
ago-hours = { $count } 時間前
ago-minutes = { $count } 分前
ago-moment = 1 分以内
minutes = { $count } 分
seconds = { $count } 秒

## An app that asks for access
at-website = <span class="at">接続先:</span> { $host }
on-this-device = <span class="at">接続先:</span> このデバイス
on-your-device = <span class="at">接続先:</span> お使いのデバイス
client-answer = 応答は <code>{ $uri }</code> で受け取ります。
client-any-program = この名前は、このデバイス上のどのプログラムでも名乗れます。ご自身で起動した直後の場合にのみ続行してください。
client-document = アプリの情報は <strong>{ $host }</strong> で公開されています。
client-own-name = この名前はアプリが自ら名乗っているものです。
client-registered = { $ago }に登録されました。
imitation-device = 名前は <bdi>{ $name }</bdi> に似ていますが、アクセス権はこのデバイス上のアプリに渡ります。
imitation-elsewhere = <strong>これは { $home } ではありません。</strong>
imitation-unknown = <strong>これは { $name } ではない可能性があります。</strong>
imitation-website = 名前は <bdi>{ $name }</bdi> に似ていますが、アクセス権は { $host } に渡ります。
link-about = このアプリについて
link-legal-notice = 法的情報
link-privacy = プライバシーポリシー
link-support = ヘルプ
link-terms = 利用規約

## Consent
consent-again = アクセスを再度許可しますか?
consent-changes-everyone = <strong>これは管理者権限です。</strong>このアプリは、あなたの名義で { $host } の全利用者のアクセス権を変更できるようになります。このアプリでサーバーを管理する場合にのみ許可してください。
consent-heading = アカウントへのアクセスを許可しますか?
consent-kept = これまでの権限はそのまま維持されます
consent-no-scope = このアプリは特定の権限を求めていません。どのアカウントがあなたのものかがアプリに伝わり、何ができるかは { $host } を信頼するサービスが決めます。
consent-no-scope-at = このアプリは特定の権限を求めていません。あなたの名義で何ができるかは、次のサービスが決めます。
consent-own-apps = あなたが連携したアプリの確認と、連携の解除ができるようになります。
consent-reads-everyone = <strong>これは管理者権限です。</strong>このアプリは、{ $host } の全利用者がどのアプリと連携しているかを確認できるようになります。このアプリでサーバーを管理する場合にのみ許可してください。
consent-resources = あなたの名義で利用するサービス
consent-scopes = アプリに許可する操作
consent-title = アクセスを許可しますか?

## Administration rights
scope-admin = アプリの削除、トークンと鍵の管理
scope-apps-read = 利用者が連携しているアプリの確認
scope-apps-write = アプリの無効化、利用者との連携の解除
scope-audit-read = 監査ログ(いつ、誰が、何をしたか)の閲覧
scope-clients-read = すべてのアプリと、利用者が与えたアクセス権の確認
scope-clients-write = アプリの承認、停止、制限と、アクセス権の取り消し

## Connected apps
grants-active = 最終利用:{ $ago }。
grants-allowed = { $ago }に許可しました。
grants-disconnect = 連携を解除<span class="hidden">: { $app }</span>
grants-disconnect-unnamed = 連携を解除<span class="hidden">: このアプリ</span>
grants-none = あなたの名義で操作できるアプリはありません。
grants-older = 以前のアプリを表示
grants-rights = このアプリに許可した操作
grants-unused = まだ使われていません。

## Start page
home-developers = 開発者の方へ
home-grants = 連携済みのアプリを見る
home-heading = { $name } は、アプリとあなたのアカウントを連携します
home-metadata = すべてのエンドポイントは<a href="{ $url }">サーバーメタデータ</a>(RFC 8414)に記載されています。
home-openapi = API 全体の仕様は <a href="{ $url }">OpenAPI</a> で公開しています。
home-register = クライアントは <code>{ $url }</code> で登録します(RFC 7591)。
home-text = アプリはここで登録し、アクセスを求めます。あなたがログインして許可するまで、アプリはアクセスできません。
home-title = アプリと連携する
not-found = ページが見つかりません
not-found-next = アドレスを確認するか、元のアプリに戻ってください。
not-found-start = トップページへ
not-found-text = このアドレスにはページがありません。

## Sign-in and sign-out
sign-in-apps = ログインして連携済みのアプリを確認
sign-in-back = ログイン画面に戻る
sign-in-continue = 続けるにはログインしてください
sign-in-decide = この時点では、アプリはまだアクセスできません。許可するかどうかは、ログイン後に選べます。
sign-in-password = サーバーの起動時に表示されたパスワード
sign-in-with = { $provider } でログイン
sign-out-confirm = ログアウトしますか?
sign-out-other = その後、別のアカウントでログインできます。
sign-out-text = <strong><bdi>{ $account }</bdi></strong> としてログインしています。ログアウトしても、<a href="{ $apps }">連携済みのアプリ</a>のアクセス権はそのまま残ります。
signed-out = ログアウトしました
signed-out-next = このページを閉じてかまいません。
signed-out-text = このブラウザーでログアウトしました。

## Sign-in that failed
failed-sign-in = ログインできませんでした
failed-account = このアカウントではログインできません。
failed-account-address = ID プロバイダーから届いたメールアドレスに @ が 2 つ以上含まれています。
failed-account-nameless = ID プロバイダーから、あなたを識別する情報が届きませんでした。
failed-account-next = 前の画面に戻って別のアカウントを選ぶか、管理者にお問い合わせください。
failed-attempts = お使いのネットワークからのログイン試行が多すぎます。{ $wait }待ってから、もう一度お試しください。
failed-back = 前の画面に戻って、もう一度お試しください。
failed-begin-again = 元のアプリからやり直してください。
failed-denied = あなたの情報の提供が、プロバイダーに許可されませんでした。
failed-foreign = 安全のため、このサーバーは自身のページから送られたフォームのみを受け付けます。
failed-form = フォームを読み取れませんでした。
failed-form-late = フォームの送信が完了しませんでした。
failed-other-issuer = 応答が、要求先のプロバイダーから届いたものではありません。
failed-over = このログインは有効期限が切れたか、別のブラウザーで開始されたものです。
failed-password = サーバーの起動時に表示されたパスワードと一致しません。
failed-password-last = これ以上は試せません。{ $wait }待ってから、もう一度お試しください。
failed-password-left = あと { $count } 回失敗すると、最大 { $wait }待つことになります。
failed-provider = 現在、ID プロバイダーに接続できません。
failed-provider-answer = プロバイダーの応答を読み取れませんでした。
failed-provider-next = 1 分ほど待ってから、もう一度お試しください。解決しない場合は、管理者にお問い合わせください。
failed-refused = プロバイダーでログインできませんでした。
failed-request = アプリの要求が途中で失われました。
failed-store = ログインできませんでした。
failed-store-either = 現在、ログインもログアウトもできません。
failed-too-long = アプリの要求が長すぎるため、ログインの間保持できません。
failed-too-long-next = アプリの開発者にお問い合わせください。
failed-try-again = もう一度お試しください。
failed-way = このログイン方法は、ここでは利用できません。
keep-seeing = このメッセージが繰り返し表示される場合は、管理者にお問い合わせください。

## Requests of apps that failed
back-to-device = このデバイスのアプリに戻る
back-to-sign-in = ログイン画面に戻る
back-to-website = { $host } に戻る
error-blocked = このアプリは管理者によって停止されています
error-blocked-text = アプリには何も送信されていません。このアプリは、あなたのアカウントにアクセスできません。
error-developer-next = アプリに戻って、もう一度お試しください。同じことが続く場合は、アプリの開発者にお問い合わせください。
error-document = このアプリの情報を読み込めませんでした
error-document-next = 何も送信されていません。アプリの開発者にお問い合わせください。
error-document-retry = 1 分ほど待ってから、もう一度お試しください。解決しない場合は、アプリの開発者にお問い合わせください。
error-document-text = { $host } からこのアプリの情報を読み込めませんでした。
error-failed-requests = 失敗した要求が多すぎます
error-failed-requests-text = お使いのネットワークから、失敗した要求が多数届いています。{ $wait }待ってから、もう一度お試しください。
error-foreign-form = このフォームは別のサイトから送られました
error-impossible = アプリの要求を処理できません
error-impossible-next = このページを閉じるか、戻ってアプリに知らせることができます。
error-impossible-text = アプリの要求は、このサーバーでは対応できないものです。アプリには何も送信されていません。
error-many-decisions = 要求が多すぎます
error-many-decisions-text = 許可または拒否した要求が多すぎます。{ $wait }待ってから、もう一度お試しください。
error-many-waiting = このアプリは現在、承認待ちにできません
error-many-waiting-next = 承認待ちのアプリへの対応を管理者に依頼してから、アプリに戻ってもう一度お試しください。
error-many-waiting-text = このアプリには管理者の承認が必要ですが、承認待ちのアプリが多すぎます。
error-needed-next = このアプリが必要な場合は、下の参照番号を添えて管理者にお問い合わせください。
error-no-role = このアプリに管理者権限を与えることはできません
error-no-role-next = 権限が必要な場合は、管理者にロールの付与を依頼し、ログインし直してください。不要な場合は、このページを閉じるか、戻ってアプリに知らせてください。
error-no-role-text = アプリはこのサーバーの管理者権限を求めていますが、あなたのアカウントにはその権限がありません。アプリには何も送信されていません。
error-old-form = このページは有効期限が切れています
error-old-form-text = ページを開いてから時間が経ちすぎたか、その後ログインし直したため、このページは使えません。
error-other-address = この要求はアプリの登録内容と一致しません
error-other-address-next = メッセージ内のリンクから来た場合は、そのリンクを二度と開かないでください。それ以外の場合は、アプリの開発者にお問い合わせください。
error-other-address-text = アプリが登録していないアドレスが応答の送信先に指定されています。何も送信されていません。
error-pending = このアプリは承認待ちです
error-pending-next = このページを開いたままにしてください。数秒ごとに確認し、アプリが承認されると自動的に先へ進みます。
error-pending-text = このアプリを使うには、管理者の承認が必要です。管理者にコード { $code } を伝えてください。
error-rejected = このアプリはここでは許可されていません
error-rejected-text = このサーバーの管理者は、このアプリの接続を許可していません。アプリには何も送信されていません。
error-start-again = アプリに戻って、最初からやり直してください。
error-unknown-app = このアプリは登録されていません
error-unknown-app-next = アプリに戻って、もう一度接続してください。アプリが古い登録を使い続ける場合は、先にアプリ側で接続を削除してください。
error-unknown-app-text = 元のアプリは、このサーバーに登録されていないか、登録が削除されています。
error-unreadable = この要求を読み取れません
error-unreadable-incomplete = アプリから送られた要求に、不足している項目があります。
error-unreadable-long = アプリから送られた要求が長すぎるか、ウェブアドレスに使えない文字が含まれています。
error-unreadable-partly = 要求の受信が完了しませんでした。
error-unreadable-text = アプリから送られた要求を読み取れませんでした。
error-wrong = 問題が発生しました
error-wrong-app = アプリを確認できませんでした。
error-wrong-decision = 選択した内容を保存できませんでした。
error-wrong-grants = 連携済みのアプリを読み込めませんでした。
error-wrong-next = 1 分ほど待ってから、もう一度お試しください。解決しない場合は、下の参照番号を添えて管理者にお問い合わせください。

## An app that was removed
removed = このアプリは削除されました
removed-by-administrator = 登録は{ $ago }に管理者によって削除されました。
removed-by-itself = アプリは{ $ago }に自身の登録を削除しました。
removed-named = { $app } の登録はもうありません。
removed-next = 再び連携するには、アプリでこのサーバーへの接続を削除し、追加し直してください。アプリが新たに登録されます。
removed-over = 期間を限って許可されていましたが、{ $ago }に期限が切れました。
removed-rejected = 承認の申請は{ $ago }に管理者によって却下されました。
removed-unnamed = このアプリの登録はもうありません。
removed-unused = 使われていなかったため、{ $ago }に削除されました。
removed-unused-days = { $count } 日間使われなかったため、{ $ago }に削除されました。
