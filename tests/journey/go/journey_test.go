// Package journey leads unmodified Go libraries through Doorward: the MCP SDK for Go, and golang.org/x/oauth2 with
// go-oidc and jwx. Their user is the small person of person.mjs.
package journey

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

var (
	issuer      = os.Getenv("DOORWARD_URL")
	tools       = os.Getenv("TOOLS_URL")
	redirectURI = "http://localhost:8092/callback"
)

// decide opens an authorization request as a person does, allows it, and returns what the redirect carries.
func decide(ctx context.Context, address string) (url.Values, error) {
	printed, err := exec.CommandContext(ctx, "node", "../person.mjs", address).Output()
	if err != nil {
		return nil, err
	}
	sent, err := url.Parse(strings.TrimSpace(string(printed)))
	if err != nil {
		return nil, err
	}
	return sent.Query(), nil
}

func call(t *testing.T, session *mcp.ClientSession, tool string) string {
	t.Helper()
	arguments := map[string]any{"word": "hello"}
	answer, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return answer.Content[0].(*mcp.TextContent).Text
}

func TestMCPSDKFromAURLToAnAnswerAndOnToAToolThatNeedsMore(t *testing.T) {
	var asked []string
	var granted []oauth2.Token
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{
				ClientName:   "Journey in Go",
				RedirectURIs: []string{redirectURI},
				GrantTypes:   []string{"authorization_code", "refresh_token"},
				Scope:        "tools:use",
			},
		},
		// Every token from an authorization counts as expired: the SDK refreshes it before its first use.
		NewTokenSource: func(ctx context.Context, config *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
			granted = append(granted, *token)
			token.Expiry = time.Now().Add(-time.Hour)
			return config.TokenSource(ctx, token), nil
		},
		AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			address, err := url.Parse(args.URL)
			if err != nil {
				return nil, err
			}
			asked = append(asked, address.Query().Get("scope"))
			sent, err := decide(ctx, args.URL)
			if err != nil {
				return nil, err
			}
			return &auth.AuthorizationResult{Code: sent.Get("code"), State: sent.Get("state"), Iss: sent.Get("iss")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "journey", Version: "1.0.0"}, nil)
	transport := &mcp.StreamableClientTransport{Endpoint: tools, OAuthHandler: handler, DisableStandaloneSSE: true}
	session, err := client.Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if answer := call(t, session, "whoami"); !strings.HasSuffix(answer, " tools:use") {
		t.Fatal(answer)
	}
	if answer := call(t, session, "rename"); !strings.Contains(answer, "tools:write") {
		t.Fatal(answer)
	}
	if len(asked) != 2 || asked[0] != "tools:use" || !strings.Contains(asked[1], "tools:write") {
		t.Fatalf("asked for %q", asked)
	}
	source, err := handler.TokenSource(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	steppedUp := granted[len(granted)-1]
	if renewed.RefreshToken == steppedUp.RefreshToken || renewed.AccessToken == steppedUp.AccessToken {
		t.Fatal("the token of the step-up was not refreshed")
	}
	if renewed.Extra("scope") != steppedUp.Extra("scope") || !strings.Contains(renewed.Extra("scope").(string), "tools:write") {
		t.Fatalf("a refresh turned %q into %q", steppedUp.Extra("scope"), renewed.Extra("scope"))
	}
}

// register is RFC 7591 by hand: x/oauth2 and go-oidc leave it to the program.
func register(t *testing.T, endpoint string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"client_name": "Journey in Go", "redirect_uris": []string{redirectURI}})
	answer, err := http.Post(endpoint, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var registered struct {
		ClientID string `json:"client_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&registered); err != nil || answer.StatusCode != 201 {
		t.Fatal(answer.Status, err)
	}
	return registered.ClientID
}

func TestOAuth2WithGoOIDCVerifiesWhatItWasGranted(t *testing.T) {
	ctx := t.Context()
	// Discovery also tells go-oidc by which algorithm tokens are signed; without it, go-oidc expects RS256.
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Registration string `json:"registration_endpoint"`
	}
	if err := provider.Claims(&metadata); err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: register(t, metadata.Registration), Endpoint: provider.Endpoint(), RedirectURL: redirectURI,
		Scopes: []string{"tools:use"},
	}
	verifier := oauth2.GenerateVerifier()
	resource := oauth2.SetAuthURLParam("resource", tools)
	sent, err := decide(ctx, config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier), resource))
	if err != nil {
		t.Fatal(err)
	}
	if sent.Get("state") != "a state" || sent.Get("iss") != issuer {
		t.Fatal(sent)
	}
	token, err := config.Exchange(ctx, sent.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	// A resource server in Go: go-oidc's verifier reads an access token (RFC 9068) as it reads an ID token.
	verified, err := provider.Verifier(&oidc.Config{ClientID: tools}).Verify(ctx, token.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	// The first segment of a JWT names the algorithm.
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(token.AccessToken, ".")[0])
	if err != nil || !strings.Contains(string(header), `"alg":"`+os.Getenv("TOKEN_ALGORITHM")+`"`) {
		t.Fatalf("the header of the token is %s, %v", header, err)
	}
	var claims struct {
		ClientID string `json:"client_id"`
		Scope    string `json:"scope"`
	}
	if err := verified.Claims(&claims); err != nil || claims.ClientID != config.ClientID || claims.Scope != "tools:use" {
		t.Fatal(claims, err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "https://another.example"}).Verify(ctx, token.AccessToken); err == nil {
		t.Fatal("a token for another resource was accepted")
	}
	verifyWithJWX(t, provider, token.AccessToken)
	expired := &oauth2.Token{RefreshToken: token.RefreshToken}
	renewed, err := config.TokenSource(ctx, expired).Token()
	if err != nil || renewed.RefreshToken == token.RefreshToken {
		t.Fatal("the refresh token is not rotated", err)
	}
}

// verifyWithJWX verifies an access token as a resource server does that knows the keys of the issuer and its own URL.
func verifyWithJWX(t *testing.T, provider *oidc.Provider, token string) {
	t.Helper()
	var metadata struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := provider.Claims(&metadata); err != nil {
		t.Fatal(err)
	}
	keys, err := jwk.Fetch(t.Context(), metadata.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := jwt.ParseString(token, jwt.WithKeySet(keys), jwt.WithIssuer(issuer), jwt.WithAudience(tools))
	if err != nil {
		t.Fatal(err)
	}
	var scope string
	if err := verified.Get("scope", &scope); err != nil || scope != "tools:use" {
		t.Fatal(scope, err)
	}
	_, err = jwt.ParseString(token, jwt.WithKeySet(keys), jwt.WithAudience("https://another.example"))
	if !errors.Is(err, jwt.InvalidAudienceError()) {
		t.Fatalf("a token for another resource: %v", err)
	}
}
