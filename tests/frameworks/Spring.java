import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;

/** Starts Spring Boot and prints the properties that its arguments name, a line each. */
class Spring {
    public static void main(String[] names) {
        var application =
                new SpringApplicationBuilder(Spring.class)
                        .bannerMode(Banner.Mode.OFF)
                        .logStartupInfo(false)
                        .web(WebApplicationType.NONE);
        try (var context = application.run()) {
            for (var name : names) {
                System.out.println(context.getEnvironment().getProperty(name));
            }
        }
    }
}
