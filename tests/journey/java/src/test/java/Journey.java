import static org.junit.jupiter.api.Assertions.assertEquals;

import com.nimbusds.jwt.SignedJWT;
import java.net.URI;
import java.nio.charset.StandardCharsets;

/** The server of this run and its user. */
final class Journey {
    static final String ISSUER = System.getenv("DOORWARD_URL");
    static final String TOOLS = System.getenv("TOOLS_URL");
    static final String ALGORITHM = System.getenv("TOKEN_ALGORITHM");
    static final URI REDIRECT_URI = URI.create("http://localhost:8093/callback");

    private Journey() {}

    /** Opens an authorization request as a user does, allows it, and returns where the user was sent. */
    static URI decide(URI request) throws Exception {
        Process person = new ProcessBuilder("node", "../person.mjs", request.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String printed = new String(person.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, person.waitFor());
        return URI.create(printed.strip());
    }

    /** Parses a token and fails unless the server signed it with the algorithm of this run. */
    static SignedJWT parse(String token) throws Exception {
        SignedJWT parsed = SignedJWT.parse(token);
        assertEquals(ALGORITHM, parsed.getHeader().getAlgorithm().getName());
        return parsed;
    }
}
