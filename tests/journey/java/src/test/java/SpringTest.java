import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import jakarta.servlet.Filter;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.http.MediaType;
import org.springframework.mock.web.MockFilterChain;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.mock.web.MockHttpSession;
import org.springframework.security.authentication.ProviderManager;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientProviderBuilder;
import org.springframework.security.oauth2.client.authentication.OAuth2AuthorizationCodeAuthenticationProvider;
import org.springframework.security.oauth2.client.endpoint.RestClientAuthorizationCodeTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.RestClientRefreshTokenTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.client.registration.InMemoryClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizationRequestResolver;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.web.HttpSessionOAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationCodeGrantFilter;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationRequestRedirectFilter;
import org.springframework.security.oauth2.client.web.client.OAuth2ClientHttpRequestInterceptor;
import org.springframework.security.oauth2.client.web.client.RequestAttributeClientRegistrationIdResolver;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtDecoderInitializationException;
import org.springframework.security.oauth2.jwt.JwtDecoders;
import org.springframework.security.oauth2.jwt.JwtValidationException;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.jwt.SupplierJwtDecoder;
import org.springframework.security.oauth2.server.resource.InvalidBearerTokenException;
import org.springframework.security.oauth2.server.resource.authentication.BearerTokenAuthenticationToken;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationProvider;
import org.springframework.web.client.RestClient;
import org.springframework.web.context.request.RequestContextHolder;
import org.springframework.web.context.request.ServletRequestAttributes;
import org.springframework.web.util.UriComponentsBuilder;

/** Spring Security, unmodified: a client of the authorization code flow, and a resource server. */
class SpringTest {
    /** A session of one user; the filters of `oauth2Client()` store the grant in it. */
    final HttpSessionOAuth2AuthorizedClientRepository granted = new HttpSessionOAuth2AuthorizedClientRepository();
    final MockHttpSession session = new MockHttpSession();
    final ClientRegistration registration = register();
    final InMemoryClientRegistrationRepository registrations = new InMemoryClientRegistrationRepository(registration);

    @AfterEach
    void resetTheRequest() {
        RequestContextHolder.resetRequestAttributes();
    }

    /** Reads the issuer as `spring.security.oauth2.client.provider.*.issuer-uri` does, and registers by RFC 7591. */
    static ClientRegistration register() {
        var builder = ClientRegistrations.fromIssuerLocation(Journey.ISSUER);
        var server = builder.clientId("not yet known").build().getProviderDetails();
        var registered = RestClient.create().post()
            .uri((String) server.getConfigurationMetadata().get("registration_endpoint"))
            .contentType(MediaType.APPLICATION_JSON)
            .body(Map.of(
                "client_name", "Journey in Spring", "redirect_uris", List.of(Journey.REDIRECT_URI),
                "grant_types", List.of("authorization_code", "refresh_token"), "token_endpoint_auth_method", "none"))
            .retrieve().body(new ParameterizedTypeReference<Map<String, Object>>() {});
        return builder.registrationId("doorward").clientId((String) registered.get("client_id"))
            .redirectUri(Journey.REDIRECT_URI.toString()).scope("tools:use").build();
    }

    /** Sends one request of the user's browser through a filter; returns where the filter sends the browser. */
    String through(Filter filter, URI uri) throws Exception {
        var request = request(uri);
        var response = new MockHttpServletResponse();
        filter.doFilter(request, response, new MockFilterChain());
        return response.getRedirectedUrl();
    }

    MockHttpServletRequest request(URI uri) {
        var request = new MockHttpServletRequest("GET", uri.getPath());
        request.setServletPath(uri.getPath());
        request.setScheme(uri.getScheme());
        request.setServerName(uri.getHost());
        request.setServerPort(uri.getPort());
        request.setQueryString(uri.getRawQuery());
        request.setSession(session);
        UriComponentsBuilder.fromUri(uri).build().getQueryParams().forEach((name, values) ->
            request.setParameter(name, URLDecoder.decode(values.get(0), StandardCharsets.UTF_8)));
        return request;
    }

    /** The authorization code flow with PKCE, from the app's own address to the grant in the user's session. */
    OAuth2AuthorizedClient authorize() throws Exception {
        var resolver = new DefaultOAuth2AuthorizationRequestResolver(registrations, "/oauth2/authorization");
        resolver.setAuthorizationRequestCustomizer(
            request -> request.additionalParameters(all -> all.put("resource", Journey.TOOLS)));
        String request = through(new OAuth2AuthorizationRequestRedirectFilter(resolver),
            Journey.REDIRECT_URI.resolve("/oauth2/authorization/doorward"));
        assertTrue(request.contains("code_challenge_method=S256"), request);

        var codes = new OAuth2AuthorizationCodeAuthenticationProvider(new RestClientAuthorizationCodeTokenResponseClient());
        var callback = new OAuth2AuthorizationCodeGrantFilter(registrations, granted, new ProviderManager(codes));
        assertEquals(Journey.REDIRECT_URI.toString(), through(callback, Journey.decide(URI.create(request))));
        return stored();
    }

    OAuth2AuthorizedClient stored() {
        return granted.loadAuthorizedClient("doorward", null, request(Journey.REDIRECT_URI));
    }

    @Test
    void aClientAuthorizesCallsAToolAndRefreshes() throws Exception {
        assertEquals(ClientAuthenticationMethod.NONE, registration.getClientAuthenticationMethod());
        OAuth2AuthorizedClient first = authorize();
        assertEquals("tools:use", String.join(" ", first.getAccessToken().getScopes()));

        // A day of skew: Spring refreshes each token before it uses it.
        var manager = new DefaultOAuth2AuthorizedClientManager(registrations, granted);
        manager.setAuthorizedClientProvider(OAuth2AuthorizedClientProviderBuilder.builder().refreshToken(refresh -> refresh
            .accessTokenResponseClient(new RestClientRefreshTokenTokenResponseClient()).clockSkew(Duration.ofDays(1))).build());
        RequestContextHolder.setRequestAttributes(
            new ServletRequestAttributes(request(Journey.REDIRECT_URI), new MockHttpServletResponse()));
        String answer = RestClient.builder().requestInterceptor(new OAuth2ClientHttpRequestInterceptor(manager)).build()
            .post().uri(Journey.TOOLS)
            .attributes(RequestAttributeClientRegistrationIdResolver.clientRegistrationId("doorward"))
            .contentType(MediaType.APPLICATION_JSON).accept(MediaType.APPLICATION_JSON, MediaType.TEXT_EVENT_STREAM)
            .body(Map.of("jsonrpc", "2.0", "id", 1, "method", "tools/call",
                "params", Map.of("name", "whoami", "arguments", Map.of("word", "hello"))))
            .retrieve().body(String.class);
        assertTrue(answer.contains("hello ") && answer.contains("tools:use"), answer);

        OAuth2AuthorizedClient renewed = stored();
        assertNotEquals(first.getRefreshToken().getTokenValue(), renewed.getRefreshToken().getTokenValue());
        assertNotEquals(first.getAccessToken().getTokenValue(), renewed.getAccessToken().getTokenValue());
        assertEquals(first.getAccessToken().getScopes(), renewed.getAccessToken().getScopes());
    }

    /** The one bean of a resource server, as docs/connect/libraries.md shows it. */
    static JwtDecoder decoder(String resource) {
        return new SupplierJwtDecoder(() -> {
            NimbusJwtDecoder decoder = NimbusJwtDecoder.withIssuerLocation(Journey.ISSUER).validateType(false).build();
            decoder.setJwtValidator(JwtValidators.createAtJwtValidator()
                .issuer(Journey.ISSUER)
                .audience(resource)
                .validators(all -> all.put("client_id", new JwtClaimValidator<>("client_id", Objects::nonNull)))
                .build());
            return decoder;
        });
    }

    @Test
    void aResourceServerAcceptsItsTokensAndRejectsThoseOfAnotherAudience() throws Exception {
        String token = authorize().getAccessToken().getTokenValue();
        Journey.parse(token);
        var bearer = new BearerTokenAuthenticationToken(token);
        if (Journey.ALGORITHM.equals("EdDSA")) {
            // Spring Security has no EdDSA.
            assertThrows(JwtDecoderInitializationException.class, () -> decoder(Journey.TOOLS).decode(token));
            return;
        }
        var who = new JwtAuthenticationProvider(decoder(Journey.TOOLS)).authenticate(bearer);
        assertTrue(who.getAuthorities().stream().anyMatch(one -> one.getAuthority().equals("SCOPE_tools:use")));

        JwtDecoder another = decoder("https://another.example/mcp");
        var rejected = assertThrows(JwtValidationException.class, () -> another.decode(token));
        assertTrue(rejected.getErrors().stream().allMatch(one -> one.getDescription().contains("aud")), rejected.getMessage());
        assertThrows(InvalidBearerTokenException.class, () -> new JwtAuthenticationProvider(another).authenticate(bearer));

        // Without the bean, Spring Security rejects the type.
        var plain = assertThrows(BadJwtException.class, () -> JwtDecoders.fromIssuerLocation(Journey.ISSUER).decode(token));
        assertTrue(plain.getMessage().contains("at+jwt"), plain.getMessage());
    }
}
